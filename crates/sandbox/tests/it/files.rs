//! Which files a command can use. Relied on: Landlock; for a read-only folder inside a writable one, mounts.

use seawall_sandbox::{Confinement, Files, Layer, Network, SpawnError};

use crate::support::{Place, piped, run, sandbox, shell};

#[test]
fn what_lies_outside_can_be_neither_read_nor_written() {
    let place = Place::new();
    let secret = place.secret();
    let secret = secret.display();
    let tries = [
        format!("cat {secret}"),
        format!("ln -s {secret} link && cat link"),
        format!("ln {secret} hard && cat hard"),
        "cat ../outside/id_ed25519".to_owned(),
        format!("ls {}", place.outside("").display()),
        format!("echo changed > {secret}"),
        format!("rm {secret}"),
        format!("mv {secret} here"),
        format!("touch {}", place.outside("new").display()),
        format!("mkdir {}", place.outside("folder").display()),
        "cat /etc/shadow".to_owned(),
        "ls /root/.ssh || ls /home".to_owned(),
        "touch /usr/bin/seawall-was-here".to_owned(),
        "echo 1 > /proc/sys/kernel/sysrq".to_owned(),
        "mknod device b 8 0".to_owned(),
        "cat /dev/mem /dev/kmsg".to_owned(),
    ];
    for attempt in tries {
        let done = run(place.confinement(), shell(&attempt));
        assert_ne!(done.code(), 0, "{attempt}");
        assert!(!done.out.contains("PRIVATE"), "{attempt}");
    }
    assert_eq!(std::fs::read_to_string(place.secret()).unwrap(), "PRIVATE KEY");
    assert!(!place.outside("new").exists() && !place.outside("folder").exists());
}

#[test]
fn the_root_is_writable_in_every_way() {
    let place = Place::new();
    let script =
        "set -e; mkdir -p a/b; echo x > a/f; mv a/f a/b/g; ln -s b a/l; cat a/l/g; mkfifo p; rm -r a p";
    let done = run(place.confinement(), shell(script));
    assert_eq!((done.code(), done.out.as_str()), (0, "x\n"));
}

#[test]
fn a_read_only_root_is_only_read() {
    let place = Place::new();
    std::fs::write(place.root().join("text"), "here").unwrap();
    let mut confinement = place.confinement();
    confinement.files = Files::Only { writable: Vec::new(), readable: vec![place.root()] };
    let done = run(confinement, shell("cat text; echo more >> text || echo refused"));
    assert_eq!(done.out, "hererefused\n");
}

#[test]
fn a_read_only_folder_inside_a_writable_one_stays_read_only_or_nothing_runs() {
    let place = Place::new();
    let git = place.root().join(".git");
    std::fs::create_dir(&git).unwrap();
    std::fs::write(git.join("config"), "as it was").unwrap();
    let mut confinement = place.confinement();
    confinement.files = Files::Only { writable: vec![place.root()], readable: vec![git.clone()] };
    let bare = Confinement { without: vec![Layer::Namespaces], ..confinement.clone() };
    let script =
        "touch free; cat .git/config; echo other > .git/config; mv .git away; rm -rf .git; touch .git/hook";
    match sandbox().spawn(confinement.clone(), piped(shell("true"))) {
        Ok(child) => {
            child.wait().unwrap();
            run(confinement, shell(script));
            assert!(place.root().join("free").exists());
            assert_eq!(std::fs::read_to_string(git.join("config")).unwrap(), "as it was");
            assert!(!git.join("hook").exists());
        }
        Err(SpawnError::Refused(reason)) => println!("no mounts here: {reason}"),
        Err(other) => panic!("{other}"),
    }
    assert!(matches!(sandbox().spawn(bare, piped(shell("true"))), Err(SpawnError::Refused(_))));
}

#[test]
fn files_that_can_t_be_confined_are_refused_and_not_risked() {
    let place = Place::new();
    let confinement = Confinement { without: vec![Layer::Landlock], ..place.confinement() };
    let Err(SpawnError::Refused(reason)) = sandbox().spawn(confinement, piped(shell("true"))) else {
        panic!("it ran")
    };
    assert!(reason.contains("Landlock"), "{reason}");
}

#[test]
fn what_confines_nothing_says_so() {
    let place = Place::new();
    let open = Confinement { files: Files::Any, network: Network::Any, ..place.confinement() };
    let done = run(open, shell(&format!("cat {}", place.secret().display())));
    assert_eq!(done.out, "PRIVATE KEY");
    assert!(!done.report.layers.has("landlock") && !done.report.layers.has("seccomp"));
    assert_eq!(done.report.layers.unavailable.len(), 2);
}

#[test]
fn meeting_places_are_the_family_s_own() {
    // The root of this test must not lie in one of them.
    let folder = tempfile::tempdir_in("/var/tmp").unwrap();
    let name = format!("/tmp/{}", folder.path().file_name().unwrap().to_str().unwrap());
    let confinement = Confinement::of(folder.path());
    let done = run(confinement, shell(&format!("mktemp && ls -A /tmp /run | wc -l; touch {name}")));
    if done.report.layers.enforced.iter().any(|layer| layer.contains("mount")) {
        assert_eq!(done.code(), 0, "{}", done.error);
    }
    assert!(!std::path::Path::new(&name).exists());
}
