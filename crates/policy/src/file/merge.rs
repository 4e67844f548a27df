//! Laying one policy over another: what is said later wins, and lists add up.

use super::{CommandKeys, FileKeys, NetworkKeys, PiiKeys, PolicyFile, TextKeys};
use crate::PolicyLimits;

impl PolicyFile {
    /// This policy with `later` laid over it.
    #[must_use]
    pub(crate) fn under(self, later: Self) -> Self {
        Self {
            name: later.name.or(self.name),
            extends: later.extends,
            mode: later.mode.or(self.mode),
            files: both(self.files, later.files, FileKeys::under),
            network: both(self.network, later.network, NetworkKeys::under),
            commands: both(self.commands, later.commands, CommandKeys::under),
            secrets: self.secrets.under(later.secrets),
            pii: self.pii.under(later.pii),
            injection: later.injection.or(self.injection),
            tools: added(self.tools, later.tools),
            models: both(self.models, later.models, added),
            max_output_tokens: later.max_output_tokens.or(self.max_output_tokens),
            limits: self.limits.under(later.limits),
            flow: added(self.flow, later.flow),
            sensitive: added(self.sensitive, later.sensitive),
            sinks: added(self.sinks, later.sinks),
            drift: later.drift.or(self.drift),
        }
    }
}

/// What is said once, or both put together.
fn both<T>(earlier: Option<T>, later: Option<T>, put: impl FnOnce(T, T) -> T) -> Option<T> {
    match (earlier, later) {
        (Some(earlier), Some(later)) => Some(put(earlier, later)),
        (earlier, later) => later.or(earlier),
    }
}

/// Both lists; what stands in both, as after a preset was reached on two ways, stands there once.
fn added<T: PartialEq>(mut earlier: Vec<T>, later: Vec<T>) -> Vec<T> {
    for item in later {
        if !earlier.contains(&item) {
            earlier.push(item);
        }
    }
    earlier
}

impl FileKeys {
    fn under(self, later: Self) -> Self {
        Self {
            root: later.root.or(self.root),
            also: added(self.also, later.also),
            max_file_bytes: later.max_file_bytes.or(self.max_file_bytes),
            symlinks: later.symlinks.or(self.symlinks),
        }
    }
}

impl NetworkKeys {
    fn under(self, later: Self) -> Self {
        Self {
            hosts: both(self.hosts, later.hosts, added),
            ports: both(self.ports, later.ports, added),
            schemes: both(self.schemes, later.schemes, added),
            private: later.private.or(self.private),
        }
    }
}

impl CommandKeys {
    fn under(self, later: Self) -> Self {
        Self {
            allow: both(self.allow, later.allow, added),
            deny: added(self.deny, later.deny),
            dangerous: later.dangerous.or(self.dangerous),
        }
    }
}

impl TextKeys {
    fn under(self, later: Self) -> Self {
        Self { inwards: later.inwards.or(self.inwards), outwards: later.outwards.or(self.outwards) }
    }
}

impl PiiKeys {
    fn under(self, later: Self) -> Self {
        Self { verdicts: self.verdicts.under(later.verdicts), kinds: both(self.kinds, later.kinds, added) }
    }
}

impl PolicyLimits {
    fn under(self, later: Self) -> Self {
        Self {
            usd: later.usd.or(self.usd),
            usd_per_minute: later.usd_per_minute.or(self.usd_per_minute),
            tokens: later.tokens.or(self.tokens),
            concurrent: later.concurrent.or(self.concurrent),
            tool_time: later.tool_time.or(self.tool_time),
            output_bytes: later.output_bytes.or(self.output_bytes),
        }
    }
}
