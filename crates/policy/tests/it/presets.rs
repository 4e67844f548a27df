//! The presets.

use std::path::Path;

use seawall_policy::{PRESETS, Preset};
use seawall_types::{Mode, Verdict};
use serde_json::json;

use super::{Memory, judged, named};

#[test]
fn every_preset_can_be_loaded_and_says_what_it_is_for() {
    for preset in PRESETS {
        let policy = named(preset.name, Path::new("/nowhere"), &Memory::default());
        assert_eq!(policy.name, preset.name);
        assert!(preset.summary().ends_with('.'), "{}", preset.name);
        assert_eq!(Preset::named(preset.name), Some(preset));
    }
}

#[test]
fn presets_refuse_what_they_are_for_and_nothing_else() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("a.txt"), "text").unwrap();
    let cases = [
        ("read_file", json!({ "path": "a.txt" }), ""),
        ("write_file", json!({ "path": "new.txt", "content": "x" }), "readonly"),
        ("read_file", json!({ "path": "../x" }), "fs_safe safe strict readonly"),
        ("read_file", json!({ "path": "/etc/passwd" }), "fs_safe safe strict readonly"),
        ("fetch", json!({ "url": "https://example.com/a" }), "readonly"),
        (
            "fetch",
            json!({ "url": "http://169.254.169.254/latest/meta-data" }),
            "net_safe safe strict readonly",
        ),
        ("fetch", json!({ "url": "http://localhost:8080" }), "net_safe safe strict readonly"),
        ("bash", json!({ "command": "ls" }), "readonly"),
        ("bash", json!({ "command": "rm -rf /" }), "safe strict readonly"),
    ];
    for (tool, args, refused_by) in cases {
        for preset in PRESETS {
            let policy = named(preset.name, root.path(), &Memory::default());
            let refused = judged(&policy, tool, &args).verdict == Verdict::Deny;
            let expected = refused_by.split(' ').any(|name| name == preset.name);
            assert_eq!(refused, expected, "{} {tool} {args}", preset.name);
        }
    }
}

#[test]
fn strict_is_strict_in_any_mode_of_the_gateway_and_the_others_follow_it() {
    use seawall_config::Environment;
    use seawall_policy::{Setting, load};
    for preset in PRESETS {
        let file = load::named(preset.name, Path::new(""), &Environment::default(), &Memory::default())
            .file
            .unwrap();
        let setting = Setting { mode: Mode::Warn, folder: Path::new("/nowhere"), sandbox: None };
        let expected = if preset.name == "strict" { Mode::Strict } else { Mode::Warn };
        assert_eq!(file.compile(&setting, "").mode, expected, "{}", preset.name);
    }
}
