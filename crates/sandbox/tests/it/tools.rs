//! Ordinary programs don't notice.

use std::path::{Path, PathBuf};

use seawall_sandbox::{Command, Files};

use crate::support::{Place, python, run, sandbox, shell};

#[test]
fn pipelines_here_documents_and_substitutions_work() {
    let place = Place::new();
    let script = "set -euo pipefail; seq 100 | sort -rn | head -n 1 || true; cat <<< here; diff <(echo a) <(echo a); echo \"$(date +%Y | wc -c)\" > n; cat n; [ -w /dev/null ]";
    let done = run(place.confinement(), shell(script));
    assert_eq!((done.out.as_str(), done.code()), ("100\nhere\n5\n", 0), "{}", done.error);
}

#[test]
fn python_with_threads_children_and_temporary_files_works() {
    let place = Place::new();
    let script = "import subprocess, tempfile, threading, json, ssl, os\nt = threading.Thread(target=lambda: print('thread', flush=True)); t.start(); t.join()\nprint(subprocess.check_output(['echo', 'child']).decode(), end='')\nwith tempfile.TemporaryFile() as f: f.write(b'x')\nprint(os.getcwd() == os.environ['HOME'])";
    let done = run(place.confinement(), python(script));
    assert_eq!(done.out, "thread\nchild\nTrue\n", "{}", done.error);
}

#[test]
fn git_makes_a_repository() {
    let place = Place::new();
    let script = "git init -q . && git config user.email a@example.com && git config user.name A && echo x > f && git add f && git commit -qm first && git log --format=%s";
    let done = run(place.confinement(), shell(script));
    assert_eq!((done.out.as_str(), done.code()), ("first\n", 0), "{}", done.error);
}

#[test]
fn a_tool_from_elsewhere_works_when_its_folder_is_granted() {
    let place = Place::new();
    let cargo = Path::new(env!("CARGO"));
    // bin/cargo of a tool chain.
    let chain: PathBuf = cargo.parent().and_then(Path::parent).unwrap().to_owned();
    let mut confinement = place.confinement();
    confinement.files = Files::Only { writable: vec![place.root()], readable: vec![chain] };
    if std::fs::metadata(cargo).is_err() {
        println!("this user can't see the tool chain");
        return;
    }
    let done = run(confinement, Command::new(cargo).arg("--version"));
    assert!(done.out.starts_with("cargo "), "{}", done.error);
}

#[test]
fn a_probe_tells_what_this_machine_can_do() {
    let layers = sandbox().probe().unwrap();
    println!("{layers:?}");
    for always in ["session", "no_new_privs", "rlimits", "landlock", "seccomp"] {
        assert!(layers.has(always), "{layers:?}");
    }
}
