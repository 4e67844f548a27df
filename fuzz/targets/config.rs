//! Configuration files in all three formats: any text is read or refused with words, and no secret stands in them.
#![no_main]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use seawall_config::{self as config, Document, Environment, Reader};
use seawall_fuzz::Input;
use seawall_types::Usd;

const SECRET: &str = "hush-4711-hush";
/// Where `config show` hides what came by reference. Keys of plain text show it: their value in force is what is asked for.
const HIDDEN: [&str; 4] = ["api_key", "headers", "labels", "policy"];

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    let file = Path::new(input.pick(&["c.yaml", "c.toml", "c.json", "c.yml", "c.txt"]));
    let Ok(text) = std::str::from_utf8(input.rest()) else { return };
    if text.contains("hush") {
        return;
    }
    let environment: Environment =
        [("KEY", SECRET), ("HOST", "127.0.0.1"), ("EMPTY", "")].into_iter().collect();
    let document = match Document::from_text(file, text, &environment) {
        Ok(document) => document,
        Err(errors) => return is_said_well(&errors.to_string()),
    };
    if let Err(errors) = config::read(&document, declare) {
        is_said_well(&errors.to_string());
    }
    for entry in config::show(&document, declare) {
        let is_hidden = HIDDEN.iter().any(|name| entry.key.contains(name));
        let shows = entry.value.to_string().contains(SECRET);
        assert!(!is_hidden || !shows, "`config show` shows a secret at {}", entry.key);
    }
    assert!(!format!("{document:?}").contains(SECRET));
});

fn is_said_well(errors: &str) {
    assert!(!errors.is_empty() && errors.lines().all(|line| !line.trim().is_empty()), "{errors:?}");
    assert!(!errors.contains(SECRET), "an error shows a secret: {errors}");
}

/// Every kind of key there is.
fn declare(reader: &mut Reader<'_>) {
    let modes = [("warn", 0), ("strict", 1)];
    reader.section("gateway", "", |gateway| {
        gateway.parsed("listen", "", SocketAddr::from(([127, 0, 0, 1], 8000)));
        gateway.choice("mode", "", 0, &modes);
        gateway.section("limits", "", |limits| limits.size("body", "", 32 << 20, 1024..=1 << 30));
        gateway.integer("in_flight", "", 1000, 1..=100_000);
        gateway.duration("drain", "", Duration::from_secs(30), Duration::ZERO..=Duration::from_secs(3600));
        gateway.strings("trusted_proxies", "");
        gateway.parsed_list::<SocketAddr>("peers", "");
        gateway.number("share", "", 0.5, 0.0..=1.0);
        gateway.boolean("enabled", "", true);
        gateway.usd("budget", "", Usd::ZERO);
    });
    reader.list("upstreams", "", |upstream| {
        upstream.required_text("name", "");
        upstream.optional_text("base_url", "");
        upstream.required_choice("kind", "", 0, &modes);
        upstream.secret("api_key", "");
        upstream.secret_map("headers", "");
        upstream.map("labels", "");
    });
    reader.named("servers", "", |_, server| server.required_text("url", ""));
    reader.optional_section("jwt", "", |jwt| jwt.required_text("issuer", ""));
    reader.raw("policy", "");
}
