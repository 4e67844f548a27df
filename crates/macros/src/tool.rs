//! `#[tool]`: a tool of agents, of a function.
//!
//! The function stays. Beside it stands a struct that implements `seawall_tools::Tool`: it reads the arguments, calls the
//! function and writes down what it gave. What is wrong with a function is told here, where it stands.

mod options;
mod parameters;
#[cfg(test)]
mod tests;

use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::parse::Parser;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, Ident, ItemFn, Lit, Meta, ReturnType};

use options::{Class, Options};
use parameters::{Parameters, Role};

/// What the attribute makes of a function.
pub(crate) fn expand(attributes: Tokens, item: Tokens) -> syn::Result<Tokens> {
    let mut options = Options::default();
    syn::meta::parser(|meta| options.read(&meta)).parse2(attributes)?;
    let mut function: ItemFn = syn::parse2(item)?;
    check(&function)?;
    let parameters = Parameters::take_from(&mut function)?;
    options.check(&function.sig.ident, &parameters)?;
    let tool = Made { options: &options, function: &function, parameters: &parameters };
    let (structure, implementation) = (tool.structure(), tool.implementation()?);
    Ok(quote! {
        #[allow(clippy::unused_async, reason = "a tool is async, whether or not it waits for anything")]
        #function
        #structure
        #implementation
    })
}

/// What no function may be that is a tool.
fn check(function: &ItemFn) -> syn::Result<()> {
    let signature = &function.sig;
    if signature.asyncness.is_none() {
        let message = "a tool is an async function; what blocks belongs into tokio's spawn_blocking";
        return Err(Error::new(signature.fn_token.span, message));
    }
    if !signature.generics.params.is_empty() {
        let message = "a tool is one function, with one schema: it has no generics";
        return Err(Error::new(signature.generics.span(), message));
    }
    if let ReturnType::Default = signature.output {
        let message = "a tool gives Result<T, E>: what it came to, or why it did not";
        return Err(Error::new(signature.ident.span(), message));
    }
    Ok(())
}

/// A tool that is being made.
struct Made<'f> {
    options: &'f Options,
    function: &'f ItemFn,
    parameters: &'f Parameters,
}

impl Made<'_> {
    fn name(&self) -> String {
        let own = || self.function.sig.ident.unraw().to_string();
        self.options.name.as_ref().map_or_else(own, syn::LitStr::value)
    }

    fn ident(&self) -> Ident {
        let words = self.function.sig.ident.unraw().to_string();
        format_ident!("{}", camel(&words), span = self.function.sig.ident.span())
    }

    fn structure(&self) -> Tokens {
        let (ident, visibility) = (self.ident(), &self.function.vis);
        let doc = format!("The tool that [`{}`] is.", self.function.sig.ident);
        let fields = self.parameters.state().map(|(name, of_type)| {
            let doc = format!("What `{name}` is borrowed from.");
            quote!(#[doc = #doc] pub #name: #of_type)
        });
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            return quote!(#[doc = #doc] #[derive(Clone, Copy)] #visibility struct #ident;);
        }
        quote!(#[doc = #doc] #visibility struct #ident { #(#fields),* })
    }

    fn implementation(&self) -> syn::Result<Tokens> {
        let (ident, name) = (self.ident(), self.name());
        let shown = ident.to_string();
        let (declared, arguments) = (self.parameters.declared(), self.parameters.type_of_all());
        let description = self.description(&arguments)?;
        // A function that gives something else is told so where it says what it gives.
        let mut function = self.function.sig.ident.clone();
        if let ReturnType::Type(_, given) = &self.function.sig.output {
            function.set_span(given.span());
        }
        let call = self.performed(&function);
        let call = quote_spanned!(function.span()=> __tool::outcome(#call));
        let call = self.with_arguments("call", &quote!(__tool::Outcome), &call);
        let reconcile = self.options.reconcile.as_ref().map(|asked| {
            let asking = self.performed(asked);
            let asking = quote_spanned!(asked.span()=> __tool::found(#name, #asking));
            self.with_arguments("reconcile", &quote!(__tool::Found), &asking)
        });
        Ok(quote! {
            const _: () = {
                use ::seawall_tools::generated as __tool;
                #declared
                static __DESCRIPTION: __tool::LazyLock<__tool::Description> =
                    __tool::LazyLock::new(|| { #description });
                impl ::core::fmt::Debug for #ident {
                    fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                        f.write_str(#shown)
                    }
                }
                impl __tool::Tool for #ident {
                    fn description(&self) -> &__tool::Description {
                        &__DESCRIPTION
                    }
                    #call
                    #reconcile
                }
            };
        })
    }

    /// One of the trait's functions: it reads the arguments, and does this with them.
    fn with_arguments(&self, method: &str, gives: &Tokens, does: &Tokens) -> Tokens {
        let method = format_ident!("{method}");
        let (name, all, taken) = (self.name(), self.parameters.type_of_all(), self.parameters.taken());
        quote! {
            fn #method<'a>(&'a self, __call: __tool::Call<'a>) -> __tool::BoxFuture<'a, #gives> {
                ::std::boxed::Box::pin(async move {
                    let __all: #all = match __tool::arguments(#name, __call.arguments) {
                        ::core::result::Result::Ok(all) => all,
                        ::core::result::Result::Err(unfit) => return unfit.into(),
                    };
                    #taken
                    #does
                })
            }
        }
    }

    /// The call of a function with everything that it wants.
    fn performed(&self, function: &impl quote::ToTokens) -> Tokens {
        let given = self.parameters.all.iter().map(|parameter| {
            let name = &parameter.name;
            match &parameter.role {
                Role::Argument => quote!(#name),
                Role::All => quote!(__all),
                Role::Call { by_reference: true } => quote!(&__call),
                Role::Call { by_reference: false } => quote!(__call),
                Role::State { .. } => quote!(&self.#name),
            }
        });
        quote_spanned!(function.span()=> #function(#(#given),*).await)
    }

    fn description(&self, arguments: &Tokens) -> syn::Result<Tokens> {
        let name = self.name();
        let words = words(&self.function.attrs)?;
        if words.is_empty() {
            let message = "a model knows a tool by its description: say what it does in a doc comment (`///`) before it";
            return Err(Error::new(self.function.sig.ident.span(), message));
        }
        let class = self.options.effect.unwrap_or(Class::Unsafe).variant();
        let mutates = match self.options.effect {
            None => quote!(::core::option::Option::None),
            Some(class) => {
                let mutates = class != Class::Pure;
                quote!(::core::option::Option::Some(#mutates))
            }
        };
        let timeout =
            self.options.timeout.map(|millis| quote!(timeout: ::core::time::Duration::from_millis(#millis),));
        let means = self.options.means.iter().map(|(name, meaning)| {
            let name = name.unraw().to_string();
            quote!((#name, #meaning))
        });
        let manual = match &self.options.manual {
            Some(manual) => quote!(::core::option::Option::Some(::core::convert::Into::into(#manual))),
            None => quote!(::core::option::Option::None),
        };
        Ok(quote! {
            __tool::Description {
                spec: __tool::ToolSpec {
                    effect: __tool::EffectClass::#class,
                    mutates: #mutates,
                    #timeout
                    ..::core::default::Default::default()
                },
                effects: __tool::means([#(#means),*]),
                manual: #manual,
                ..__tool::Description::new(#name, #words, __tool::schema::<#arguments>())
            }
        })
    }
}

/// The doc comment, its paragraphs apart and each of them in one line.
fn words(attributes: &[Attribute]) -> syn::Result<String> {
    let mut lines = Vec::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("doc")) {
        let Meta::NameValue(written) = &attribute.meta else { continue };
        let Expr::Lit(literal) = &written.value else {
            return Err(Error::new(
                written.value.span(),
                "a tool's description is written out: a doc comment",
            ));
        };
        if let Lit::Str(text) = &literal.lit {
            lines.extend(text.value().split('\n').map(|line| line.trim().to_owned()));
        }
    }
    let paragraphs = lines.split(String::is_empty).map(|lines| lines.join(" "));
    Ok(paragraphs.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join("\n\n"))
}

fn camel(words: &str) -> String {
    let mut name = String::new();
    for word in words.split('_') {
        let mut letters = word.chars();
        name.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        name.push_str(letters.as_str());
    }
    name
}
