//! How a release is built: with the profile of hot paths where it fits, and never without it unsaid.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{read, root};

/// The variable for the host that [`COMPILER`] names.
const HOSTS_OWN: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS";
const COMPILER: &str = "rustc 1.0.0\nhost: x86_64-unknown-linux-gnu";

/// What the build is given.
struct Given<'a> {
    /// A name for the case's folder.
    case: &'a str,
    /// What the compiler says of itself.
    compiler: &'a str,
    /// The release of cargo.
    cargo: &'a str,
    environment: &'a [(&'a str, &'a str)],
}

/// What the script says, and which flags the compiler gets. Its tools are scripts that build nothing.
fn release(given: &Given<'_>) -> (String, String) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("release").join(given.case);
    fs::create_dir_all(&folder).unwrap();
    let rustc = tool(&folder, "rustc", &format!("cat <<'END'\n{}\nEND", given.compiler));
    let flags = "printf %s \"${CARGO_ENCODED_RUSTFLAGS-$RUSTFLAGS}\"";
    let cargo =
        tool(&folder, "cargo", &format!("[ \"$1\" = -V ] && exec echo cargo {}\n{flags}", given.cargo));
    let mut script = Command::new("bash");
    script.arg(root().join("scripts/release.sh")).env("RUSTC", rustc).env("CARGO", cargo);
    script
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("CARGO_BUILD_RUSTFLAGS")
        .env_remove(HOSTS_OWN)
        .envs(given.environment.iter().copied());
    let output = script.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap())
}

fn tool(folder: &Path, name: &str, script: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn the_profile_is_used_by_the_compiler_that_counted_and_by_no_other() {
    let profile = root().join("profile/seawall.profdata");
    assert!(fs::metadata(&profile).unwrap().len() > 100_000, "there is a profile");
    let counted = read(&root().join("profile/rustc.txt"));
    let version = counted.lines().find_map(|line| line.strip_prefix("release: ")).unwrap();
    let used = format!("-Cprofile-use={}", profile.display());
    let given = Given { case: "same", compiler: counted.trim_end(), cargo: version, environment: &[] };

    let with = |said: &str, flags: &str| said.is_empty() && flags.split('\x1f').any(|flag| flag == used);
    let (said, flags) = release(&given);
    assert!(with(&said, &flags), "{said}{flags}");
    let (said, flags) = release(&Given { case: "empty", environment: &[("RUSTFLAGS", "")], ..given });
    assert!(with(&said, &flags), "no flags are no reason: {said}{flags}");

    let other = counted.replace(version, "1.0.0");
    let without = [
        (Given { case: "compiler", compiler: &other, ..given }, "another compiler", ""),
        (Given { case: "cargo", cargo: "1.0.0", ..given }, "another compiler", ""),
        (Given { case: "flags", environment: &[("RUSTFLAGS", "-g")], ..given }, "your RUSTFLAGS", "-g"),
        (
            Given { case: "build", environment: &[("CARGO_BUILD_RUSTFLAGS", "-g")], ..given },
            "your RUSTFLAGS",
            "",
        ),
        (
            Given { case: "host", compiler: COMPILER, environment: &[(HOSTS_OWN, "-g")], ..given },
            "your RUSTFLAGS",
            "",
        ),
        (
            Given { case: "encoded", environment: &[("CARGO_ENCODED_RUSTFLAGS", "-g")], ..given },
            "your RUSTFLAGS",
            "-g",
        ),
    ];
    for (given, reason, kept) in without {
        let (said, flags) = release(&given);
        assert!(said.contains(reason) && said.lines().count() == 1, "{}: {said}", given.case);
        assert_eq!(flags, kept, "{}", given.case);
    }
}
