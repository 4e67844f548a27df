//! `#[guard]`: a function whose calls pass the checkpoint.
//!
//! What it makes calls `seawall_guard::generated`; nothing is decided here.

use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::meta::ParseNestedMeta;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Error, FnArg, Ident, ItemFn, LitStr, Pat, PatIdent, ReturnType, Type};

/// What the attribute makes of a function.
pub(crate) fn expand(attributes: Tokens, item: Tokens) -> syn::Result<Tokens> {
    let mut options = Options::default();
    syn::meta::parser(|meta| options.read(&meta)).parse2(attributes)?;
    guarded(&options, &syn::parse2(item)?)
}

/// What stands behind `guard`.
#[derive(Default)]
struct Options {
    name: Option<LitStr>,
    cost: Option<LitStr>,
    effects: Vec<(String, Tokens)>,
}

impl Options {
    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> syn::Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("cost") {
            self.cost = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("effects") {
            return meta.parse_nested_meta(|effect| {
                let parameter = effect.path.require_ident()?.to_string();
                self.effects.push((parameter, declared(&effect.value()?.parse()?)?));
                Ok(())
            });
        } else {
            return Err(meta.error("guard takes name, cost and effects"));
        }
        Ok(())
    }
}

/// The effect of this name, as the crate has it.
fn declared(name: &LitStr) -> syn::Result<Tokens> {
    let variant = match name.value().as_str() {
        "fs_read" => "FsRead",
        "fs_write" => "FsWrite",
        "fs_delete" => "FsDelete",
        "net" => "Net",
        "exec" => "Exec",
        "ignore" => return Ok(quote!(::core::option::Option::None)),
        _ => return Err(Error::new(name.span(), "take fs_read, fs_write, fs_delete, net, exec or ignore")),
    };
    let variant = format_ident!("{variant}");
    Ok(quote!(::core::option::Option::Some(::seawall_guard::Effect::#variant)))
}

/// One parameter that the policy sees.
struct Parameter<'f> {
    pattern: &'f PatIdent,
    of_type: &'f Type,
}

impl Parameter<'_> {
    fn name(&self) -> String {
        self.pattern.ident.to_string()
    }
}

fn parameters(function: &ItemFn) -> syn::Result<Vec<Parameter<'_>>> {
    let mut parameters = Vec::new();
    for input in &function.sig.inputs {
        let FnArg::Typed(typed) = input else { continue };
        let Pat::Ident(pattern) = &*typed.pat else {
            return Err(Error::new(typed.pat.span(), "a guarded function's parameters need names"));
        };
        if let Type::Reference(reference) = &*typed.ty {
            let message = "a guarded function owns its arguments, since the policy may replace them: take a String or a PathBuf";
            return Err(Error::new(reference.span(), message));
        }
        parameters.push(Parameter { pattern, of_type: &typed.ty });
    }
    Ok(parameters)
}

fn guarded(options: &Options, function: &ItemFn) -> syn::Result<Tokens> {
    let parameters = parameters(function)?;
    let (attributes, visibility, body) = (&function.attrs, &function.vis, &function.block);
    let gives = match &function.sig.output {
        ReturnType::Default => quote!(()),
        ReturnType::Type(_, given) => quote!(#given),
    };
    let mut signature = function.sig.clone();
    signature.output = syn::parse2(quote!(-> ::core::result::Result<#gives, ::seawall_guard::Error>))?;
    // What was `mut` is so for the body alone.
    for input in &mut signature.inputs {
        if let FnArg::Typed(typed) = input
            && let Pat::Ident(pattern) = &mut *typed.pat
        {
            pattern.mutability = None;
        }
    }
    let name = options.name.as_ref().map_or_else(|| function.sig.ident.to_string(), LitStr::value);
    let given = parameters.iter().map(|parameter| given(parameter));
    let taken = parameters.iter().map(|parameter| taken(parameter));
    let effects = effects(options, &parameters, function)?;
    let cost = options.cost.as_ref().map(LitStr::value).unwrap_or_else(|| "0".to_owned());
    let performed = if signature.asyncness.is_some() {
        quote!(async move { #body }.await)
    } else {
        quote!((move || -> #gives { #body })())
    };
    Ok(quote! {
        #(#attributes)*
        #visibility #signature {
            use ::seawall_guard::generated as __seawall;
            let __run = __seawall::run_of(#name)?;
            let mut __arguments = __seawall::Map::new();
            #(#given)*
            let __effects = #effects;
            let mut __admitted = __seawall::admit(&__run, #name, __arguments, &__effects, #cost)?;
            let mut __taken = __admitted.take_arguments();
            #(#taken)*
            let __gave: #gives = #performed;
            #[allow(unused_imports, reason = "which of them is needed depends on what the function gives")]
            use __seawall::{Any as _, Inspected as _, InspectedResult as _, AnyResult as _};
            (&&&&__seawall::Gave::new(__gave)).settle(__admitted)
        }
    })
}

/// The statement that gives an argument to the policy.
fn given(parameter: &Parameter<'_>) -> Tokens {
    let (ident, name): (&Ident, _) = (&parameter.pattern.ident, parameter.name());
    quote!(__seawall::give(&mut __arguments, #name, &#ident)?;)
}

/// The statement that takes it back.
fn taken(parameter: &Parameter<'_>) -> Tokens {
    let (pattern, of_type, name) = (parameter.pattern, parameter.of_type, parameter.name());
    quote!(let #pattern: #of_type = __seawall::argument(&mut __taken, #name)?;)
}

fn effects(options: &Options, parameters: &[Parameter<'_>], function: &ItemFn) -> syn::Result<Tokens> {
    if options.effects.is_empty() {
        return Ok(quote!(::seawall_guard::Declared::Nothing));
    }
    for (name, _) in &options.effects {
        if !parameters.iter().any(|parameter| parameter.name() == *name) {
            return Err(Error::new(function.sig.ident.span(), format!("there is no parameter {name}")));
        }
    }
    let (names, effects): (Vec<_>, Vec<_>) = options.effects.iter().cloned().unzip();
    Ok(quote! {
        ::seawall_guard::Declared::Parameters(
            [#((::std::string::String::from(#names), #effects)),*].into_iter().collect()
        )
    })
}
