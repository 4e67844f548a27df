//! One admitted call: what it may do while it runs, and how it ends.

use std::fmt;
use std::net::IpAddr;
use std::sync::{PoisonError, RwLock};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use seawall_guard::{Admitted, Error, Run as Guarded, Seen, ToolEnd};
use seawall_types::Mode;

use crate::{effects, isolated, raised, resolver, value};

/// The right to perform one call. It is settled once; what is told to it after that changes nothing.
#[pyclass(frozen, module = "seawall._seawall")]
#[derive(Debug)]
pub(crate) struct Permit {
    tool: String,
    run: Guarded,
    /// Read while something is judged, which may take as long as a look-up. Nobody waits for it with the interpreter held.
    call: RwLock<State>,
    changed: Option<Py<PyDict>>,
}

/// Where a call stands.
enum State {
    Open(Box<Admitted>),
    /// It may do nothing more, and goes on where it can't be ended.
    TimedOut,
    Ended,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open(_) => "Open",
            Self::TimedOut => "TimedOut",
            Self::Ended => "Ended",
        })
    }
}

/// Why something that was seen must not happen.
enum Against {
    Policy(Error),
    TooLate,
    After,
}

impl Permit {
    /// The permit, with those arguments that the tool is to get otherwise than they were written.
    pub(crate) fn new(
        admitted: Admitted,
        run: Guarded,
        tool: &str,
        arguments: &Bound<'_, PyDict>,
    ) -> PyResult<Self> {
        let changed = match value::changed(arguments, admitted.replacements(), admitted.arguments()) {
            Ok(changed) => changed.map(Bound::unbind),
            Err(error) => return Err(not_replaced(arguments.py(), admitted, tool, error)),
        };
        let call = RwLock::new(State::Open(Box::new(admitted)));
        Ok(Self { tool: tool.to_owned(), run, call, changed })
    }

    /// Takes the call out, if it was open until now.
    fn end(&self, state: State) -> Option<Box<Admitted>> {
        // A state is replaced whole.
        let mut call = self.call.write().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *call, state) {
            State::Open(admitted) => Some(admitted),
            old @ (State::TimedOut | State::Ended) => {
                *call = old;
                None
            }
        }
    }

    fn refuses(&self) -> bool {
        self.run.policy().mode == Mode::Strict
    }

    fn observe(&self, py: Python<'_>, seen: Seen<'_>) -> PyResult<()> {
        let judged = py.detach(|| match &*self.call.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(admitted) => admitted.observe(seen).map_err(Against::Policy),
            State::TimedOut => Err(Against::TooLate),
            State::Ended => Err(Against::After),
        });
        match judged {
            Ok(()) => Ok(()),
            Err(Against::Policy(error)) => Err(raised::error(error)),
            Err(_) if !self.refuses() => Ok(()),
            Err(Against::TooLate) => Err(raised::too_late(&self.tool)),
            Err(Against::After) => Err(self.after()),
        }
    }

    fn after(&self) -> PyErr {
        let message =
            format!("the call of {} has ended, and what it started may touch nothing more", self.tool);
        raised::denied(
            "TOOL_NOT_ALLOWED",
            &message,
            "let the tool wait for the threads and tasks that it starts",
        )
    }

    /// Whether what leaves our sight could touch what the policy closes.
    fn is_confined(&self) -> bool {
        let policy = self.run.policy();
        policy.files().is_some() || policy.network().is_some() || policy.commands().is_some()
    }

    fn unwatched(&self, code: &str, what: &str, remedy: &str) -> PyResult<()> {
        if !self.refuses() || !self.is_confined() {
            return Ok(());
        }
        let message = format!("{} may not use {what}, which can't be watched from here", self.tool);
        Err(raised::denied(code, &message, remedy))
    }
}

const ISOLATE: &str = "guard the tool with isolate=True, where the kernel confines it, or do without";

#[pymethods]
impl Permit {
    /// The arguments that the tool is to get otherwise than they were written, by name; `None` where there are none.
    #[getter]
    fn changed(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.changed.as_ref().map(|changed| changed.clone_ref(py))
    }

    /// Whether what the tool gives in parts has to be whole before any of it goes on.
    #[getter]
    fn looks_into_result(&self) -> bool {
        let looks = match &*self.call.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(admitted) => admitted.looks_into_result(),
            State::TimedOut | State::Ended => false,
        };
        looks || self.run.policy().limits.output_bytes.is_some()
    }

    /// How many seconds the policy gives the tool.
    #[getter]
    fn time_limit(&self) -> Option<f64> {
        self.run.policy().limits.tool_time.map(|limit| limit.as_secs_f64())
    }

    /// The tool gave this. What comes back is the same, or what is left of it.
    fn settle<'py>(&self, py: Python<'py>, result: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let looks = self.looks_into_result();
        let Some(admitted) = self.end(State::Ended) else {
            return if result.is_none() { Ok(result) } else { Err(raised::used_up()) };
        };
        if !looks || result.is_none() {
            let kept = (!result.is_none() && admitted.keeps_result()).then(|| value::outline(&result));
            match kept {
                Some(mut kept) => admitted.settle(ToolEnd::Returned(&mut kept), None),
                None => admitted.settle(ToolEnd::ReturnedBytes(0), None),
            }
            .map_err(raised::error)?;
            return Ok(result);
        }
        let before = value::described(&result)?;
        let mut after = before.clone();
        py.detach(|| admitted.settle(ToolEnd::Returned(&mut after), None)).map_err(raised::error)?;
        let made = value::replaced(&result, &before, &after).map_err(|error| {
            let message = format!("the result of {} holds what the policy takes out, and {error}", self.tool);
            raised::denied("TOOL_CONTRACT", &message, "let the tool give text, or lists and mappings of text")
        })?;
        Ok(made.unwrap_or(result))
    }

    /// The tool raised this.
    fn failed(&self, error: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(admitted) = self.end(State::Ended) else { return Ok(()) };
        let kind = error.get_type().name()?;
        let text = error.str().map_or_else(|_| String::new(), |text| text.to_string_lossy().into_owned());
        let message = if text.is_empty() { kind.to_string() } else { format!("{kind}: {text}") };
        // What a failed tool said goes to its caller as it is.
        let _nothing_to_refuse = admitted.settle(ToolEnd::Failed(&message), None);
        Ok(())
    }

    /// The tool took too long. From now on nothing that it tries is allowed.
    fn timed_out(&self) {
        if let Some(admitted) = self.end(State::TimedOut) {
            let _always_too_late = admitted.settle(ToolEnd::TimedOut, None);
        }
    }

    /// Whether the policy has nothing to say about its reading, writing or removing the file of this absolute path. Nothing
    /// is written down.
    fn lets_pass(&self, py: Python<'_>, effect: &str, path: &str) -> PyResult<bool> {
        let effect = effects::effect(effect)?;
        Ok(py.detach(|| match &*self.call.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(admitted) => admitted.lets_pass(effect, path),
            State::TimedOut | State::Ended => false,
        }))
    }

    /// It is about to read, write or remove the file of this absolute path.
    fn saw_file(&self, py: Python<'_>, effect: &str, path: &str) -> PyResult<()> {
        let effect = effects::effect(effect)?;
        self.observe(py, Seen::Path { effect, path })
    }

    /// It is about to look this name up.
    fn saw_name(&self, py: Python<'_>, host: &str) -> PyResult<()> {
        self.observe(py, Seen::Name(host))
    }

    /// The name led to these addresses, one of which it will connect to.
    fn saw_addresses(&self, py: Python<'_>, host: &str, addresses: Vec<String>) -> PyResult<()> {
        let found = addresses.into_iter().filter_map(|address| ip(&address)).collect();
        resolver::with_found(found, || self.observe(py, Seen::Name(host)))
    }

    /// It is about to connect there; a name is looked up.
    fn saw_connection(&self, py: Python<'_>, host: &str, port: u16) -> PyResult<()> {
        match ip(host) {
            Some(address) => self.observe(py, Seen::Connection { address, port }),
            None => self.observe(py, Seen::Name(host)),
        }
    }

    /// It is about to start a program with these words.
    #[expect(clippy::needless_pass_by_value, reason = "what is taken out of Python is ours to keep")]
    fn saw_command(&self, py: Python<'_>, words: Vec<String>) -> PyResult<()> {
        let listed: Vec<&str> = words.iter().map(String::as_str).collect();
        self.observe(py, Seen::Command(&listed))?;
        // Only who listed what may run has taken it upon himself what that does.
        if self.run.policy().commands().is_some_and(|commands| commands.allow.is_some()) {
            return Ok(());
        }
        let what = format!("the program {:?}", words.first().map_or("", String::as_str));
        self.unwatched(
            "CMD_NOT_ALLOWED",
            &what,
            "list it in commands.allow of the policy, or guard the tool with isolate=True",
        )
    }

    /// It is about to use native code.
    fn saw_native(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        self.observe(py, Seen::Command(&[]))?;
        self.unwatched("TOOL_NOT_ALLOWED", &format!("native code ({name})"), ISOLATE)
    }

    /// Runs a command as the policy has it confined, in the run's sandbox. Gives its output, its errors, and how it ended.
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of a Python method, by name")]
    #[pyo3(signature = (launcher, argv, input, readable, seconds=None))]
    fn isolated<'py>(
        &self,
        py: Python<'py>,
        launcher: &str,
        argv: Vec<std::ffi::OsString>,
        input: &[u8],
        readable: Vec<std::path::PathBuf>,
        seconds: Option<f64>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let input = input.to_vec();
        let ended = py.detach(|| match &*self.call.read().unwrap_or_else(PoisonError::into_inner) {
            State::Open(admitted) => {
                isolated::run(admitted, launcher.as_ref(), argv, &input, readable, seconds).map(Some)
            }
            State::TimedOut | State::Ended => Ok(None),
        });
        let Some(ended) = ended.map_err(raised::error)? else { return Err(raised::used_up()) };
        isolated::told(py, &ended)
    }
}

/// An address as Python writes it: an IPv6 one may have its zone at its end.
fn ip(text: &str) -> Option<IpAddr> {
    text.split('%').next().and_then(|address| address.parse().ok())
}

/// The policy replaces a part of an argument that can't be made anew: the tool must not get what was written.
fn not_replaced(py: Python<'_>, admitted: Admitted, tool: &str, error: PyErr) -> PyErr {
    // An interrupt, for one, is nothing to be explained.
    if !error.is_instance_of::<PyValueError>(py) {
        return error;
    }
    let message = format!("the policy replaces a part of what {tool} is called with, and {error}");
    let _nothing_to_refuse = admitted.settle(ToolEnd::Failed(&message), None);
    raised::denied("TOOL_CONTRACT", &message, "call it with text, paths, lists and mappings")
}
