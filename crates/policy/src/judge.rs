//! Judging one call: every rule over every parameter, then the rules about the call as a whole.

mod texts;

use std::path::Path;

use seawall_detect::Found;
use seawall_detect::network::{JudgedUrl, NetworkRules};
use seawall_types::{Code, Effect, Finding, Mode, Severity, Verdict};
use serde_json::Value;

use crate::asked::file_effect;
use crate::drift::Footprint;
use crate::parameters::{self, Class};
use crate::place::{Touch, below_root};
use crate::pointer::Pointer;
use crate::when::Facts;
use crate::{Asked, Decision, Declared, Meaning, Performer, Policy, Replacement};

/// How deep arguments may nest. What nests deeper is refused, since it can't be looked at whole.
const DEEPEST: usize = 64;

impl Policy {
    /// Judges a call. Every rule is asked and every finding told; the gravest verdict wins.
    ///
    /// The same call gets the same answer while the files that it names stay as they are. Budgets, limits and credentials
    /// are not asked here.
    #[must_use]
    pub fn judge(&self, asked: &Asked<'_>) -> Decision {
        let mut judging = Judging::new(self, asked);
        if !self.judges_nothing() {
            judging.parameters();
            judging.tools();
            judging.whole();
            judging.drift();
        }
        let mut decision = judging.decision;
        decision.verdict = self.in_mode(decision.would);
        decision
    }

    /// Whether there is anything to say about a call, whoever performs it.
    #[must_use]
    pub fn judges_calls(&self) -> bool {
        !self.judges_nothing()
    }

    /// Whether a call can lead to a person being asked: where not, nobody has to be ready for it.
    #[must_use]
    pub fn may_ask(&self) -> bool {
        let asks = |verdict| verdict == Verdict::Ask;
        self.in_mode(Verdict::Ask) == Verdict::Ask
            && (self.tools.iter().any(|rule| asks(rule.verdict()))
                || self.flow.iter().any(|rule| asks(rule.verdict()))
                || self.drift.as_ref().is_some_and(|drift| asks(drift.verdict()))
                || self.towards.verdicts().any(asks)
                || self.back.verdicts().any(asks))
    }

    /// Judges a call of which only the tool's name is known: the rules about tools that ask nothing else.
    #[must_use]
    pub fn judge_name(&self, tool: &str) -> Decision {
        let mut decision = Decision::default();
        for (verdict, finding) in self.tools.iter().filter_map(|rule| rule.judge_name(tool)) {
            decision.would = decision.would.max(verdict);
            decision.findings.push(finding);
        }
        decision.verdict = self.in_mode(decision.would);
        decision
    }

    fn judges_nothing(&self) -> bool {
        self.files.is_none()
            && self.network.is_none()
            && self.commands.is_none()
            && self.tools.is_empty()
            && self.towards.detector().is_none()
            && self.back.detector().is_none()
            && !self.follows_touches()
            && self.drift.is_none()
    }

    /// Whether any rule asks what exactly was touched.
    fn follows_touches(&self) -> bool {
        !(self.flow.is_empty() && self.sensitive.is_empty() && self.sinks.is_empty())
    }
}

/// One judgement while it is made.
struct Judging<'j> {
    policy: &'j Policy,
    asked: &'j Asked<'j>,
    decision: Decision,
    /// Whether each of [`Effect::ALL`] was seen.
    seen: [bool; Effect::ALL.len()],
    touched: Vec<Touch>,
    follows: bool,
    /// What a baseline is asked about, where there is one.
    footprint: Option<Footprint>,
}

/// The effects that a tool has on paths: what was declared, else what its name tells. Asked for where there is a path.
#[derive(Clone, Copy)]
struct OnFiles([Option<Effect>; 3]);

impl OnFiles {
    fn of(asked: &Asked<'_>) -> Self {
        let declared = |effect| matches!(asked.effects, Declared::Tool(effects) if effects.contains(&effect));
        let files = [Effect::FsRead, Effect::FsWrite, Effect::FsDelete]
            .map(|effect| declared(effect).then_some(effect));
        if files.iter().any(Option::is_some) {
            Self(files)
        } else {
            Self([Some(file_effect(asked.tool)), None, None])
        }
    }

    fn each(self) -> impl Iterator<Item = Effect> {
        self.0.into_iter().flatten()
    }
}

/// What is known of a parameter before its value is looked at.
#[derive(Clone, Copy)]
struct Known {
    class: Option<Class>,
    /// What was declared of it, or of what it is in.
    effect: Option<Effect>,
    /// It was declared to be text, or is in what was.
    is_text: bool,
}

impl Known {
    const NOTHING: Self = Self { class: None, effect: None, is_text: false };

    fn touches(effect: Effect) -> Self {
        Self { class: Some(Class::of(effect)), effect: Some(effect), is_text: false }
    }
}

impl<'j> Judging<'j> {
    fn new(policy: &'j Policy, asked: &'j Asked<'j>) -> Self {
        Self {
            policy,
            asked,
            decision: Decision::default(),
            seen: [false; Effect::ALL.len()],
            touched: Vec::new(),
            follows: policy.follows_touches(),
            footprint: (policy.drift.is_some() && matches!(asked.effects, Declared::Nothing))
                .then(Footprint::default),
        }
    }

    fn parameters(&mut self) {
        if let Declared::Tool(effects) = self.asked.effects {
            for effect in effects {
                self.touch(*effect, || Touch::of(*effect, String::new()));
            }
        }
        self.value(self.asked.args, "", Known::NOTHING, &Pointer::Root, 0);
    }

    fn value(&mut self, value: &Value, name: &str, known: Known, at: &Pointer<'_>, depth: usize) {
        if depth > DEEPEST {
            return self.too_deep(at);
        }
        match value {
            Value::String(text) => self.text(text, name, known, at),
            // Some programs take an address as a number.
            Value::Number(number) if known.class == Some(Class::Url) => self.url(&number.to_string(), at),
            Value::Array(items)
                if known.class == Some(Class::Command) && items.iter().all(Value::is_string) =>
            {
                self.argv(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>(), at);
                self.items(items, name, Known { class: None, ..known }, at, depth);
            }
            Value::Array(items) => self.items(items, name, known, at, depth),
            Value::Object(fields) => self.fields(fields, known, at, depth),
            Value::Number(number) => self.number(number, name, at),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn items(&mut self, items: &[Value], name: &str, known: Known, at: &Pointer<'_>, depth: usize) {
        for (index, item) in items.iter().enumerate() {
            self.value(item, name, known, &Pointer::Index(at, index), depth + 1);
        }
    }

    fn fields(
        &mut self,
        fields: &serde_json::Map<String, Value>,
        known: Known,
        at: &Pointer<'_>,
        depth: usize,
    ) {
        for (name, value) in fields {
            let at = Pointer::Key(at, name);
            let declared = match self.asked.effects {
                Declared::Parameters(parameters) if depth == 0 => match parameters.get(name) {
                    Some(None) => continue,
                    Some(Some(effect)) => Some(Known::touches(*effect)),
                    None => None,
                },
                Declared::Members(members) => members.get(name).map(|meaning| match meaning {
                    Meaning::Touches(effect) => Known::touches(*effect),
                    Meaning::Text => Known { is_text: true, ..Known::NOTHING },
                }),
                _ => None,
            };
            // A key may itself be a path or a URL: `files: { "../x": "…" }`.
            if declared.is_none() && !known.is_text {
                self.by_value(name, &at, false);
            }
            let known = declared.unwrap_or_else(|| match known {
                Known { is_text: true, .. } => known,
                Known { effect: Some(effect), .. } => Known::touches(effect),
                Known { effect: None, .. } => Known { class: parameters::class(name), ..Known::NOTHING },
            });
            self.scan_name(name, &at);
            if known.class == Some(Class::Command) {
                self.command_with_arguments(value, fields, &at);
            }
            self.value(value, name, known, &at, depth + 1);
        }
    }

    /// `{ "command": "git", "args": ["push"] }`.
    fn command_with_arguments(
        &mut self,
        value: &Value,
        fields: &serde_json::Map<String, Value>,
        at: &Pointer<'_>,
    ) {
        let list = fields
            .iter()
            .find(|(name, _)| parameters::is_arguments(name))
            .and_then(|(_, list)| list.as_array());
        let (Some(program), Some(list)) = (value.as_str(), list) else { return };
        let arguments = list.iter().filter_map(Value::as_str);
        self.argv(&std::iter::once(program).chain(arguments).collect::<Vec<_>>(), at);
    }

    fn text(&mut self, text: &str, name: &str, known: Known, at: &Pointer<'_>) {
        match known.class {
            Some(Class::Path) => {
                self.path(text, known.effect, at, true);
                if parameters::looks_like_url(text) {
                    self.url(text, at);
                }
            }
            Some(Class::Url) => {
                self.url(text, at);
                if parameters::looks_like_path(text) {
                    self.path(text, None, at, false);
                }
            }
            Some(Class::Place) => self.place(text, name, at),
            Some(Class::Command) => {
                self.command(text, at);
                self.by_value(text, at, false);
            }
            None if known.is_text => {}
            None => self.by_value(text, at, true),
        }
        self.scan(text, name, at);
    }

    /// A path or a URL, whichever it is. What goes up may be meant as a path even where it begins like a URL.
    fn place(&mut self, text: &str, name: &str, at: &Pointer<'_>) {
        let is_url = parameters::looks_like_url(text);
        if is_url {
            self.url(text, at);
        }
        if !is_url || parameters::climbs(text) || parameters::looks_like_path(text) {
            let source = ["src", "source"].iter().any(|known| name.eq_ignore_ascii_case(known));
            let removes =
                parameters::words(self.asked.tool).any(|word| ["move", "mv", "rename"].contains(&word));
            let effect = match self.asked.effects {
                Declared::Nothing | Declared::Parameters(_) if source && removes => Some(Effect::FsDelete),
                Declared::Nothing | Declared::Parameters(_) if source => Some(Effect::FsRead),
                _ => None,
            };
            self.path(text, effect, at, !is_url && parameters::is_file_like(text));
        }
    }

    /// A text whose name tells nothing.
    fn by_value(&mut self, text: &str, at: &Pointer<'_>, may_replace: bool) {
        let is_url = parameters::looks_like_url(text);
        if is_url {
            self.url(text, at);
        }
        if parameters::looks_like_path(text) {
            self.path(text, None, at, may_replace && !is_url);
        }
    }

    fn path(&mut self, text: &str, effect: Option<Effect>, at: &Pointer<'_>, may_replace: bool) {
        let effects =
            effect.map_or_else(|| OnFiles::of(self.asked), |effect| OnFiles([Some(effect), None, None]));
        let policy = self.policy;
        if let Some(footprint) = &mut self.footprint {
            footprint.path(text, &policy.root, at);
        }
        let mut resolved = None;
        for effect in effects.each() {
            if let Some(files) = &policy.files {
                let judged = files.judge(effect, text);
                self.found(judged.found, at);
                resolved = judged.resolved;
            }
            let root = policy.files.as_ref().map(|files| files.root.as_path());
            let leads_to = resolved.as_ref().and_then(|path| path.to_str());
            self.touch(effect, || {
                let mut paths = vec![below_root(text, root)];
                paths.extend(leads_to.map(|path| below_root(path, root)));
                Touch { paths, ..Touch::of(effect, at.to_string()) }
            });
        }
        let may_replace = may_replace && self.asked.performer == Performer::Us;
        let resolved = resolved.and_then(|path| path.into_os_string().into_string().ok());
        if let Some(resolved) = resolved.filter(|resolved| may_replace && resolved != text) {
            self.decision.replacements.push(Replacement { location: at.to_string(), text: resolved });
        }
    }

    fn url(&mut self, text: &str, at: &Pointer<'_>) {
        let mut target = None;
        if let Some(network) = &self.policy.network {
            let judged = judged_url(network, text);
            self.found(judged.found, at);
            target = judged.target;
        }
        self.note_host(text, at);
        self.touch(Effect::Net, || Touch {
            target: target.clone(),
            ..Touch::of(Effect::Net, at.to_string())
        });
        self.decision.targets.extend(target);
    }

    /// Notes the host of a URL for the baseline, read alike whatever the rules about the network are: a profile knows none.
    fn note_host(&mut self, text: &str, at: &Pointer<'_>) {
        let Some(footprint) = &mut self.footprint else { return };
        // A file is no host, and was noted as a path. Nor is nothing: were an optional parameter that is left empty kept as
        // a host that can't be read, every such host would be known.
        if !(text.starts_with("file:") || text.trim().is_empty()) {
            footprint.host(judged_url(&NetworkRules::default(), text).target.as_ref(), at);
        }
    }

    fn command(&mut self, line: &str, at: &Pointer<'_>) {
        if let Some(commands) = &self.policy.commands {
            self.found(commands.judge_line(line), at);
        }
        self.touch(Effect::Exec, || Touch::of(Effect::Exec, at.to_string()));
    }

    fn argv(&mut self, argv: &[&str], at: &Pointer<'_>) {
        if let Some(commands) = &self.policy.commands {
            self.found(commands.judge_argv(argv), at);
        }
        self.touch(Effect::Exec, || Touch::of(Effect::Exec, at.to_string()));
    }

    fn too_deep(&mut self, at: &Pointer<'_>) {
        let found = Found {
            code: Code::ToolContract,
            severity: Severity::High,
            message: format!(
                "the arguments nest deeper than {DEEPEST} levels, so they can't be judged whole"
            ),
            remedy: "call the tool with flatter arguments".to_owned(),
        };
        self.found(vec![found], at);
    }

    fn touch(&mut self, effect: Effect, touch: impl FnOnce() -> Touch) {
        if let Some(index) = Effect::ALL.iter().position(|known| *known == effect)
            && let Some(seen) = self.seen.get_mut(index)
        {
            *seen = true;
        }
        if self.follows {
            self.touched.push(touch());
        }
    }

    /// Takes over what a detector found.
    fn found(&mut self, found: Vec<Found>, at: &Pointer<'_>) {
        for found in found {
            // What is worth knowing and no more is told, and refuses nothing.
            let verdict = if found.severity == Severity::Low { Verdict::Warn } else { Verdict::Deny };
            self.tell(verdict, found, at);
        }
    }

    /// Tells a finding once, however many looks at the parameter led to it.
    fn tell(&mut self, verdict: Verdict, found: Found, at: &Pointer<'_>) {
        let Found { code, severity, message, remedy } = found;
        let (rule, location) = (rule_of(code).to_owned(), at.to_string());
        self.tell_once(verdict, Finding { rule, code, severity, message, location, remedy });
    }

    fn tell_once(&mut self, verdict: Verdict, finding: Finding) {
        let known = |known: &Finding| {
            known.code == finding.code
                && known.location == finding.location
                && known.message == finding.message
        };
        if !self.decision.findings.iter().any(known) {
            self.push(verdict, finding);
        }
    }

    fn push(&mut self, verdict: Verdict, finding: Finding) {
        self.decision.would = self.decision.would.max(verdict);
        self.decision.findings.push(finding);
    }

    fn tools(&mut self) {
        if self.asked.tool.is_empty() {
            return;
        }
        let mut effects = Effect::ALL;
        let mut count = 0;
        for (effect, seen) in Effect::ALL.into_iter().zip(self.seen) {
            if let Some(place) = effects.get_mut(count).filter(|_| seen) {
                *place = effect;
                count += 1;
            }
        }
        let Asked { tool, args, actor, run, .. } = *self.asked;
        let facts = Facts { tool, args, effects: effects.get(..count).unwrap_or_default(), actor, run };
        for rule in &self.policy.tools {
            if let Some((verdict, finding)) = rule.judge(&facts) {
                self.push(verdict, finding);
            }
        }
    }

    /// The rules about what was touched, all together.
    fn whole(&mut self) {
        if !self.follows {
            return;
        }
        let touched = std::mem::take(&mut self.touched);
        let tool = self.asked.tool;
        for rule in &self.policy.flow {
            self.decision.steps.extend(rule.step(tool, &touched).cloned());
            let judged = self.asked.flow.and_then(|state| rule.judge(state, tool, &touched));
            if let Some((verdict, touch)) = judged {
                self.push(verdict, rule.finding(verdict, tool, touch));
            }
        }
        self.decision.sensitive = self.policy.sensitive.iter().any(|place| place.matches(tool, &touched));
        self.decision.sink = self.policy.sinks.iter().any(|place| place.matches(tool, &touched));
    }

    /// What the baseline does not know.
    fn drift(&mut self) {
        let Some(drift) = &self.policy.drift else { return };
        // A trace does not hold what was declared of a tool. So the baseline was read without it, and so is this.
        let asked = Asked { effects: &Declared::Nothing, ..*self.asked };
        let noted = self.footprint.take().unwrap_or_else(|| footprint(&self.policy.root, &asked));
        drift.judge(asked.tool, noted, |novelty, finding| {
            self.decision.novelties.push(novelty);
            self.push(drift.verdict(), finding);
        });
    }
}

/// The hosts and folders that a call leads to, with paths below this root. No rule is asked and nothing looked up.
pub(crate) fn footprint(root: &Path, asked: &Asked<'_>) -> Footprint {
    let bare = Policy { root: root.to_owned(), ..Policy::off(Mode::Warn) };
    let mut judging = Judging { footprint: Some(Footprint::default()), ..Judging::new(&bare, asked) };
    judging.parameters();
    judging.footprint.unwrap_or_default()
}

/// What the rules say of a URL, or of the name of a host.
fn judged_url(network: &NetworkRules, text: &str) -> JudgedUrl {
    if parameters::looks_like_url(text) || text.starts_with("//") {
        return network.judge_url(text);
    }
    // The name of a host, or a URL without its scheme: which scheme and port will be used can't be seen.
    let scheme = network.schemes.as_ref().and_then(|schemes| schemes.first());
    let mut judged = network.judge_url(&format!("{}://{text}", scheme.map_or("https", String::as_str)));
    judged.found.retain(|found| judged.target.is_none() || found.code != Code::NetPort);
    judged
}

/// The key of the policy that a finding about a call comes from.
#[must_use]
pub fn rule_of(code: Code) -> &'static str {
    match code {
        Code::FsTraversal | Code::FsOutsideRoot => "files.root",
        Code::FsSymlinkEscape => "files.follow_symlinks",
        Code::FsDevice => "files",
        Code::FsTooLarge => "files.max_file_bytes",
        Code::NetPrivateAddress | Code::NetMetadataService | Code::NetRebinding => "network.private",
        Code::NetHostNotAllowed => "network.hosts",
        Code::NetScheme => "network.schemes",
        Code::NetPort => "network.ports",
        Code::NetUnresolved => "network",
        Code::CmdForbidden => "commands.deny",
        Code::CmdNotAllowed => "commands.allow",
        Code::CmdShellMeta => "commands",
        Code::SecretFound => "secrets.in",
        Code::PiiFound => "pii.in",
        Code::InjectionSuspected => "injection",
        Code::TaintLeak => "sinks",
        Code::Drift => "drift",
        _ => "tools",
    }
}
