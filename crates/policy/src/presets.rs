//! The policies that need no file: policy files that are built in. Their texts are the data in `presets/`.

/// A built-in policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preset {
    /// The name that configurations and `extends` call it by.
    pub name: &'static str,
    /// Its file, as YAML. The first line says what it is for.
    pub text: &'static str,
}

/// Every preset, the mildest first.
pub const PRESETS: [Preset; 6] = [
    Preset { name: "off", text: include_str!("../presets/off.yaml") },
    Preset { name: "fs_safe", text: include_str!("../presets/fs_safe.yaml") },
    Preset { name: "net_safe", text: include_str!("../presets/net_safe.yaml") },
    Preset { name: "safe", text: include_str!("../presets/safe.yaml") },
    Preset { name: "strict", text: include_str!("../presets/strict.yaml") },
    Preset { name: "readonly", text: include_str!("../presets/readonly.yaml") },
];

impl Preset {
    /// The preset of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        PRESETS.into_iter().find(|preset| preset.name == name)
    }

    /// What it is for, in one line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }
}
