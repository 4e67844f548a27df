//! Children: started with a plan, killed, frozen and woken, and waited for.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::plan::Plan;
use crate::witness;

/// Who plays a part.
const PART: [&str; 6] =
    ["--exact", "child::plays_its_part", "--ignored", "--nocapture", "--test-threads", "1"];

/// A child.
pub(crate) struct Life {
    child: Child,
    plan: Plan,
    /// What it says, when it has ended.
    said: Receiver<String>,
}

/// How a life ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Its story was over.
    Well,
    /// Somebody killed it.
    Killed,
}

/// One of which something was claimed that is not so is not left behind, frozen or waiting.
impl Drop for Life {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _waited = self.child.wait();
    }
}

impl Life {
    pub(crate) fn begin(plan: &Plan) -> Self {
        Self::begin_under(&[], plan)
    }

    /// With a program that starts it, and its arguments.
    pub(crate) fn begin_under(wrapper: &[&str], plan: &Plan) -> Self {
        let this = std::env::current_exe().unwrap();
        let mut command = match wrapper.split_first() {
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
            None => Command::new(this),
        };
        let command = command.args(PART).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{}", serde_json::to_string(plan).unwrap()).unwrap();
        let mut errors = child.stderr.take().unwrap();
        let (tell, said) = mpsc::channel();
        thread::spawn(move || {
            let mut text = Vec::new();
            // Whatever it said; a child that is killed closes its end too.
            let _read = errors.read_to_end(&mut text);
            let _gone = tell.send(String::from_utf8_lossy(&text).into_owned());
        });
        Self { child, plan: plan.clone(), said }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    pub(crate) fn wake(&self) {
        self.signal(Signal::CONT);
    }

    /// Waits until it stands still (`true`) or has ended.
    pub(crate) fn until_frozen(&self) -> bool {
        let what = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let seen = waitid(WaitId::Pid(Pid::from_child(&self.child)), what).unwrap().unwrap();
        seen.stopped()
    }

    pub(crate) fn has_ended(&self) -> bool {
        let what = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), what).unwrap().is_some()
    }

    /// Kills it unless it ends within this time. Whether it was killed.
    pub(crate) fn killed_after(mut self, time: Duration) -> Ended {
        match self.said.recv_timeout(time) {
            Ok(said) => self.over(&said),
            Err(_) => {
                self.kill();
                self.ended()
            }
        }
    }

    /// Waits for its end, of which there are two that are as they should be.
    pub(crate) fn ended(mut self) -> Ended {
        match self.said.recv_timeout(Duration::from_secs(60)) {
            Ok(said) => self.over(&said),
            Err(_) => {
                self.kill();
                let said = self.said.recv().unwrap_or_default();
                let lines = witness::of_life(&self.plan.folder, self.plan.life);
                let last: Vec<_> = lines.iter().rev().take(40).rev().collect();
                panic!("it hangs: {said} {:?}\nthe last that it wrote down: {last:#?}", self.plan);
            }
        }
    }

    fn over(mut self, said: &str) -> Ended {
        let status = self.child.wait().unwrap();
        match (status.success(), status.signal()) {
            (true, _) => Ended::Well,
            (_, Some(9)) => Ended::Killed,
            _ => panic!("{status}: {said}"),
        }
    }
}
