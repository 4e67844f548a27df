//! The parameters of a tool: what a model gives, and what is given beside that.

use proc_macro2::TokenStream as Tokens;
use quote::{ToTokens, quote};
use syn::spanned::Spanned;
use syn::{Attribute, Error, FnArg, Ident, ItemFn, Pat, PatType, Type};

/// What a parameter is.
pub(super) enum Role {
    /// One of the arguments.
    Argument,
    /// All of them.
    All,
    /// The call itself.
    Call { by_reference: bool },
    /// Borrowed from the tool.
    State { of_type: Box<Type> },
}

/// One parameter.
pub(super) struct Parameter {
    pub(super) name: Ident,
    pub(super) role: Role,
    of_type: Type,
    /// What is said of it: for its schema, and for reading it.
    attributes: Vec<Attribute>,
}

/// All of a function's.
pub(super) struct Parameters {
    pub(super) all: Vec<Parameter>,
}

impl Parameters {
    /// Reads the parameters, and takes away from the function what only says something of the arguments.
    pub(super) fn take_from(function: &mut ItemFn) -> syn::Result<Self> {
        let mut all = Vec::new();
        for input in &mut function.sig.inputs {
            match input {
                FnArg::Typed(typed) => all.push(Parameter::take_from(typed)?),
                FnArg::Receiver(receiver) => {
                    let message =
                        "a tool is a free function; what it works with it takes as `#[state] name: &Type`";
                    return Err(Error::new(receiver.span(), message));
                }
            }
        }
        let parameters = Self { all };
        if let Some(whole) = parameters.whole()
            && parameters.all.iter().any(|parameter| matches!(parameter.role, Role::Argument))
        {
            let message = "#[arguments] stands for all arguments: there can be no other beside it";
            return Err(Error::new(whole.name.span(), message));
        }
        let is_call = |parameter: &&Parameter| matches!(parameter.role, Role::Call { .. });
        let is_whole = |parameter: &&Parameter| matches!(parameter.role, Role::All);
        let again = parameters.all.iter().filter(is_call).nth(1);
        if let Some(again) = again.or_else(|| parameters.all.iter().filter(is_whole).nth(1)) {
            return Err(Error::new(again.name.span(), "one call has one `Call`, and one #[arguments]"));
        }
        Ok(parameters)
    }

    fn whole(&self) -> Option<&Parameter> {
        self.all.iter().find(|parameter| matches!(parameter.role, Role::All))
    }

    fn arguments(&self) -> impl Iterator<Item = &Parameter> {
        self.all.iter().filter(|parameter| matches!(parameter.role, Role::Argument))
    }

    /// What is borrowed from the tool, with its type.
    pub(super) fn state(&self) -> impl Iterator<Item = (&Ident, &Type)> {
        self.all.iter().filter_map(|parameter| match &parameter.role {
            Role::State { of_type } => Some((&parameter.name, &**of_type)),
            _ => None,
        })
    }

    pub(super) fn take_the_call(&self) -> bool {
        self.all.iter().any(|parameter| matches!(parameter.role, Role::Call { .. }))
    }

    /// Whether there may be an argument of this name.
    pub(super) fn may_have(&self, name: &Ident) -> bool {
        self.whole().is_some() || self.arguments().any(|argument| argument.name == *name)
    }

    /// Whether models give the argument under another name.
    pub(super) fn is_renamed(&self, name: &Ident) -> bool {
        let renames = |attribute: &Attribute| {
            let is_of_reading = attribute.path().is_ident("serde") || attribute.path().is_ident("schemars");
            is_of_reading && attribute.meta.to_token_stream().to_string().contains("rename")
        };
        self.arguments().any(|argument| argument.name == *name && argument.attributes.iter().any(renames))
    }

    /// The struct of the arguments, where they are not a struct already.
    pub(super) fn declared(&self) -> Tokens {
        if self.whole().is_some() {
            return Tokens::new();
        }
        let fields = self
            .arguments()
            .map(|Parameter { name, of_type, attributes, .. }| quote!(#(#attributes)* #name: #of_type));
        quote! {
            #[derive(__tool::serde::Deserialize, __tool::schemars::JsonSchema)]
            #[serde(crate = "::seawall_tools::generated::serde", deny_unknown_fields)]
            #[schemars(crate = "::seawall_tools::generated::schemars")]
            struct __Arguments { #(#fields),* }
        }
    }

    pub(super) fn type_of_all(&self) -> Tokens {
        self.whole().map_or_else(
            || quote!(__Arguments),
            |whole| {
                let of_type = &whole.of_type;
                quote!(#of_type)
            },
        )
    }

    /// The statement that takes the arguments apart.
    pub(super) fn taken(&self) -> Tokens {
        if self.whole().is_some() {
            return Tokens::new();
        }
        let names = self.arguments().map(|argument| &argument.name);
        quote!(let __Arguments { #(#names),* } = __all;)
    }
}

impl Parameter {
    fn take_from(typed: &mut PatType) -> syn::Result<Self> {
        let Pat::Ident(pattern) = &*typed.pat else {
            return Err(Error::new(
                typed.pat.span(),
                "a tool's parameters need names: models give arguments by them",
            ));
        };
        let name = pattern.ident.clone();
        let mut attributes = std::mem::take(&mut typed.attrs);
        let mut marked = |mark: &str| {
            let before = attributes.len();
            attributes.retain(|attribute| !attribute.path().is_ident(mark));
            attributes.len() < before
        };
        let (is_state, is_whole) = (marked("state"), marked("arguments"));
        let role = match (is_state, is_whole, &*typed.ty) {
            (true, _, Type::Reference(reference)) if reference.mutability.is_none() => {
                Role::State { of_type: reference.elem.clone() }
            }
            (true, ..) => {
                let message = "state is borrowed from the tool, by many calls at once: take `&Type`";
                return Err(Error::new(typed.ty.span(), message));
            }
            (_, _, Type::Reference(reference)) if is_call(&reference.elem) => {
                Role::Call { by_reference: true }
            }
            (_, _, of_type) if is_call(of_type) => Role::Call { by_reference: false },
            (_, _, Type::Reference(reference)) => {
                let message = "a tool owns its arguments: take a String or a PathBuf; what belongs to the tool is \
                               marked #[state]";
                return Err(Error::new(reference.span(), message));
            }
            (_, _, Type::ImplTrait(of_type)) => {
                return Err(Error::new(of_type.span(), "a schema is derived from a type: name it"));
            }
            (_, true, _) => Role::All,
            (_, false, _) => Role::Argument,
        };
        // Comments on what is no argument of the model's say something to readers alone.
        Ok(Self { name, role, of_type: (*typed.ty).clone(), attributes })
    }
}

/// Whether it is `Call`, by whatever path.
fn is_call(of_type: &Type) -> bool {
    let Type::Path(path) = of_type else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Call")
}
