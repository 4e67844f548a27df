//! `seawall trace verify`: whether traces are what was written, and whether their heads are signed.

use std::path::Path;
use std::process::ExitCode;

use seawall_trace::RunRow;
use seawall_trace::sign::{PublicKey, SignatureState};
use seawall_trace::verify::{Report, verify_file, verify_run};
use seawall_types::RunId;
use serde_json::{Value, json};

use crate::commands::World;
use crate::commands::runs::Archive;
use crate::exit::{Failure, Outcome};
use crate::output;

/// What was found of one run or file.
struct Checked {
    run: Option<RunId>,
    report: Report,
    /// `None` where no key was given.
    signature: Option<SignatureState>,
}

impl Checked {
    fn is_good(&self) -> bool {
        self.report.ok && matches!(self.signature, None | Some(SignatureState::Holds))
    }

    /// What is wrong with it, in a line; `None` when nothing is.
    fn fault(&self) -> Option<String> {
        let run = self.run.map_or_else(|| "a loose file".to_owned(), |run| format!("run {run}"));
        if let Some(bad) = &self.report.first_bad {
            return Some(format!("{}, line {}: {}", bad.file.display(), bad.line, bad.reason));
        }
        match self.signature? {
            SignatureState::Holds => None,
            SignatureState::Missing => Some(format!("{run}: its head is not signed")),
            SignatureState::Wrong => {
                Some(format!("{run}: its head is not signed with this key, or was changed"))
            }
        }
    }
}

pub(crate) fn run(world: &World<'_>, target: Option<&str>, key: Option<&PublicKey>) -> Outcome {
    let checked = check(world, target, key)?;
    let lines: u64 = checked.iter().map(|one| one.report.checked).sum();
    let is_good = checked.iter().all(Checked::is_good);
    if world.global.json {
        output::json(&verdict(&checked, lines, is_good));
    } else {
        checked.iter().filter_map(Checked::fault).for_each(|fault| output::line(format!("BAD  {fault}")));
        output::line(format!(
            "{lines} lines of {} runs checked: {}",
            checked.len(),
            if is_good { "good" } else { "NOT good" }
        ));
    }
    Ok(ExitCode::from(u8::from(!is_good)))
}

fn check(world: &World<'_>, target: Option<&str>, key: Option<&PublicKey>) -> Result<Vec<Checked>, Failure> {
    if let Some(file) = target.map(Path::new).filter(|file| file.is_file()) {
        // A file alone has no head, so there is nothing that could bear the signature.
        let signature = key.map(|key| key.check(None));
        return Ok(vec![Checked { run: None, report: verify_file(file), signature }]);
    }
    let archive = Archive::open(world)?;
    let rows = match target {
        Some(wanted) => vec![archive.row(&archive.find(wanted)?)?],
        // Of nothing at all everything is true, and a folder that is lost is what this is to find.
        None if !world.data_dir().is_dir() => {
            let folder = world.data_dir();
            return Err(Failure::usage(format!(
                "there is no data folder {}: name it with --data-dir",
                folder.display()
            )));
        }
        None => archive.rows()?,
    };
    rows.iter().map(|row| check_run(&archive, row, key)).collect()
}

fn check_run(archive: &Archive, row: &RunRow, key: Option<&PublicKey>) -> Result<Checked, Failure> {
    let head = archive.heads.head(row.run)?;
    let report = verify_run(&archive.dir, row, head.as_ref());
    Ok(Checked { run: Some(row.run), report, signature: key.map(|key| key.check(head.as_ref())) })
}

fn verdict(checked: &[Checked], lines: u64, is_good: bool) -> Value {
    let mut value = json!({ "ok": is_good, "checked": lines, "runs": checked.len() });
    let Some(map) = value.as_object_mut() else { return value };
    if let [only] = checked {
        map.insert("head".to_owned(), json!(only.report.head));
    }
    if let Some(first) = checked.iter().find_map(|one| one.report.first_bad.as_ref()) {
        map.insert("first_bad".to_owned(), json!(first));
    }
    let worst = checked.iter().find(|one| one.signature.is_some_and(|state| state != SignatureState::Holds));
    if let Some(state) = worst.or_else(|| checked.first()).and_then(|one| one.signature) {
        map.insert("signature".to_owned(), json!(state));
    }
    if let Some(run) = worst.and_then(|one| one.run) {
        map.insert("first_unsigned".to_owned(), json!(run));
    }
    value
}
