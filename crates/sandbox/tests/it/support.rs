//! A place with a sandbox in it and something outside of it.

use std::io::Read;
use std::path::{Path, PathBuf};

use seawall_sandbox::{Child, Command, Confinement, Layer, Report, Sandbox, Stream};
use tempfile::TempDir;

/// The launcher that was built with the tests.
pub(crate) const LAUNCHER: &str = env!("CARGO_BIN_EXE_seawall-sandbox");

pub(crate) fn sandbox() -> Sandbox {
    Sandbox::with_launcher(Path::new(LAUNCHER))
}

/// A folder with `inside` (the root) and `outside`, which holds a secret.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("inside")).unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        let place = Self { folder };
        std::fs::write(place.secret(), "PRIVATE KEY").unwrap();
        place
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("inside")
    }

    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join("outside").join(name)
    }

    pub(crate) fn secret(&self) -> PathBuf {
        self.outside("id_ed25519")
    }

    pub(crate) fn confinement(&self) -> Confinement {
        Confinement::of(&self.root())
    }
}

/// What a command wrote and how it ended.
pub(crate) struct Done {
    pub(crate) out: String,
    pub(crate) error: String,
    pub(crate) report: Report,
}

impl Done {
    pub(crate) fn code(&self) -> u8 {
        self.report.ending.exit_code()
    }
}

pub(crate) fn start(confinement: Confinement, command: Command) -> Child {
    let child = sandbox().spawn(confinement, command).unwrap();
    println!("held by {:?}", child.layers());
    child
}

pub(crate) fn piped(command: Command) -> Command {
    command.stdin(Stream::Null).stdout(Stream::Piped).stderr(Stream::Piped)
}

/// Runs a command to its end.
pub(crate) fn run(confinement: Confinement, command: Command) -> Done {
    let mut child = start(confinement, piped(command));
    let errors = child.stderr.take().unwrap();
    let errors = std::thread::spawn(move || std::io::read_to_string(errors).unwrap());
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let report = child.wait().unwrap();
    let done = Done { out, error: errors.join().unwrap(), report };
    println!("{:?}\n{}{}", done.report, done.out, done.error);
    done
}

pub(crate) fn shell(script: &str) -> Command {
    Command::new("/bin/bash").args(["-c", script])
}

pub(crate) fn python(script: &str) -> Command {
    Command::new("/usr/bin/python3").args(["-c", script])
}

/// The confinement with all layers, and with those missing that a machine may lack.
pub(crate) fn with_and_without(confinement: &Confinement, layers: &[Layer]) -> Vec<Confinement> {
    let without = |&layer: &Layer| Confinement { without: vec![layer], ..confinement.clone() };
    std::iter::once(confinement.clone()).chain(layers.iter().map(without)).collect()
}
