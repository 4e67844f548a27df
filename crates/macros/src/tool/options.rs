//! What stands behind `tool`.

use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Error, Expr, Ident, LitStr, Path};

use super::parameters::Parameters;

/// The longest name that every provider takes.
const LONGEST_NAME: usize = 64;

/// What running a call again does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Pure,
    Idempotent,
    Keyed,
    Reconcilable,
    Unsafe,
}

impl Class {
    const ALL: [(&str, Self); 5] = [
        ("pure", Self::Pure),
        ("idempotent", Self::Idempotent),
        ("keyed", Self::Keyed),
        ("reconcilable", Self::Reconcilable),
        ("unsafe", Self::Unsafe),
    ];

    fn named(name: &LitStr) -> syn::Result<Self> {
        let found = Self::ALL.into_iter().find(|(known, _)| *known == name.value());
        let message = "take pure, idempotent, keyed, reconcilable or unsafe";
        found.map(|(_, class)| class).ok_or_else(|| Error::new(name.span(), message))
    }

    /// As the engine calls it.
    pub(super) fn variant(self) -> Ident {
        format_ident!("{self:?}")
    }
}

/// What stands behind `tool`.
#[derive(Default)]
pub(super) struct Options {
    pub(super) name: Option<LitStr>,
    pub(super) effect: Option<Class>,
    pub(super) reconcile: Option<Path>,
    /// In milliseconds.
    pub(super) timeout: Option<u64>,
    pub(super) means: Vec<(Ident, Tokens)>,
    pub(super) manual: Option<Expr>,
}

impl Options {
    pub(super) fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        let Some(option) = meta.path.get_ident() else { return Err(meta.error(KNOWN)) };
        match option.to_string().as_str() {
            "name" => self.name = Some(plain(meta.value()?.parse()?)?),
            "effect" => self.effect = Some(Class::named(&meta.value()?.parse()?)?),
            "reconcile" => self.reconcile = Some(meta.value()?.parse()?),
            "timeout" => self.timeout = Some(millis(&meta.value()?.parse()?)?),
            "manual" => self.manual = Some(meta.value()?.parse()?),
            "means" => meta.parse_nested_meta(|meaning| {
                let parameter = meaning.path.require_ident()?.clone();
                self.means.push((parameter, meant(&meaning.value()?.parse()?)?));
                Ok(())
            })?,
            _ => return Err(meta.error(KNOWN)),
        }
        Ok(())
    }

    /// Holds what was declared to what the function is.
    pub(super) fn check(&self, function: &Ident, parameters: &Parameters) -> syn::Result<()> {
        if self.name.is_none() {
            plain(LitStr::new(&function.unraw().to_string(), function.span()))?;
        }
        let fault = |message: &str| Err(Error::new(function.span(), message));
        match (self.effect, &self.reconcile) {
            (Some(Class::Reconcilable), None) => {
                return fault(
                    "a reconcilable tool is asked whether a call was done: add reconcile = function",
                );
            }
            (Some(Class::Reconcilable), Some(_)) | (_, None) => {}
            (_, Some(asked)) => {
                let message = "only a reconcilable tool is asked: add effect = \"reconcilable\"";
                return Err(Error::new_spanned(asked, message));
            }
        }
        if self.effect == Some(Class::Keyed) && !parameters.take_the_call() {
            return fault("a keyed tool passes the key of its call on: take a parameter `call: &Call<'_>`");
        }
        for (name, _) in &self.means {
            if !parameters.may_have(name) {
                return Err(Error::new(name.span(), format!("there is no parameter {name}")));
            }
            if parameters.is_renamed(name) {
                let message = "what is told to the policy goes by the parameter's own name: call it what models are to call it";
                return Err(Error::new(name.span(), message));
            }
        }
        Ok(())
    }
}

const KNOWN: &str = "tool takes name, effect, reconcile, timeout, means and manual";

/// A name that every provider takes.
fn plain(name: LitStr) -> syn::Result<LitStr> {
    let text = name.value();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if text.is_empty() || text.len() > LONGEST_NAME || !text.bytes().all(is_plain) {
        let message = format!("{text:?} can't name a tool: use 1 to {LONGEST_NAME} of A-Z a-z 0-9 _ -");
        return Err(Error::new(name.span(), message));
    }
    Ok(name)
}

fn millis(written: &LitStr) -> syn::Result<u64> {
    let text = written.value();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok().filter(|number| *number > 0);
    let millis = number.zip(factor).and_then(|(number, factor)| number.checked_mul(factor));
    millis.ok_or_else(|| Error::new(written.span(), "write a duration: 500ms, 30s, 10m or 1h"))
}

/// What an argument is for the policy.
fn meant(name: &LitStr) -> syn::Result<Tokens> {
    let effect = match name.value().as_str() {
        "fs_read" => "FsRead",
        "fs_write" => "FsWrite",
        "fs_delete" => "FsDelete",
        "net" => "Net",
        "exec" => "Exec",
        "text" => return Ok(quote!(__tool::Meaning::Text)),
        _ => return Err(Error::new(name.span(), "take fs_read, fs_write, fs_delete, net, exec or text")),
    };
    let effect = format_ident!("{effect}");
    Ok(quote!(__tool::Meaning::Touches(__tool::Effect::#effect)))
}
