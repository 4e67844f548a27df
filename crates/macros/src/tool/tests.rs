//! What is said of a function that can be no tool, and where it is said.

use quote::quote;

use super::{Tokens, camel, expand};

fn said(attributes: Tokens, item: Tokens) -> String {
    expand(attributes, item).unwrap_err().to_string()
}

#[test]
fn a_function_that_can_be_no_tool_is_told_why() {
    let plain = || quote!();
    for (attributes, item, words) in [
        (
            plain(),
            quote!(
                /** Adds. */
                fn add(a: u8) -> Result<u8, E> {}
            ),
            "is an async function",
        ),
        (
            plain(),
            quote!(
                async fn add(a: u8) -> Result<u8, E> {}
            ),
            "say what it does in a doc comment",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(a: u8) {}
            ),
            "gives Result<T, E>",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add<T>(a: T) -> Result<T, E> {}
            ),
            "no generics",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(&self) -> Result<u8, E> {}
            ),
            "#[state] name: &Type",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(a: &str) -> Result<u8, E> {}
            ),
            "take a String",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(a: impl Copy) -> Result<u8, E> {}
            ),
            "name it",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add((a, b): (u8, u8)) -> Result<u8, E> {}
            ),
            "need names",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(#[state] a: Db) -> Result<u8, E> {}
            ),
            "take `&Type`",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(#[state] a: &mut Db) -> Result<u8, E> {}
            ),
            "take `&Type`",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(#[arguments] all: Sum, b: u8) -> Result<u8, E> {}
            ),
            "there can be no other",
        ),
        (
            plain(),
            quote!(
                /** Adds. */
                async fn add(a: Call<'_>, b: &seawall_tools::Call<'_>) -> Result<u8, E> {}
            ),
            "one `Call`",
        ),
    ] {
        let said = said(attributes, item.clone());
        assert!(said.contains(words), "{item}: {said}");
    }
}

#[test]
fn what_is_declared_wrongly_is_told_with_what_may_stand_there() {
    let add = || {
        quote!(
            /** Adds. */
            async fn add(a: u8) -> Result<u8, E> {}
        )
    };
    for (attributes, words) in [
        (quote!(effect = "pur"), "take pure, idempotent, keyed, reconcilable or unsafe"),
        (quote!(effekt = "pure"), "tool takes name, effect"),
        (quote!(name = "add up"), "\"add up\" can't name a tool"),
        (quote!(timeout = "soon"), "write a duration"),
        (quote!(timeout = "0s"), "write a duration"),
        (quote!(timeout = "99999999999999999999h"), "write a duration"),
        (quote!(effect = "keyed"), "take a parameter `call: &Call<'_>`"),
        (quote!(effect = "reconcilable"), "add reconcile = function"),
        (quote!(effect = "pure", reconcile = was_added), "only a reconcilable tool is asked"),
        (quote!(reconcile = was_added), "only a reconcilable tool is asked"),
        (quote!(means(b = "text")), "there is no parameter b"),
        (quote!(means(a = "txt")), "take fs_read"),
    ] {
        let said = said(attributes.clone(), add());
        assert!(said.contains(words), "{attributes}: {said}");
    }
}

#[test]
fn an_argument_that_the_policy_is_told_of_is_not_renamed() {
    let renamed = quote!(
        /** Writes. */
        async fn write(#[serde(rename = "target")] path: String) -> Result<u8, E> {}
    );
    let said = said(quote!(means(path = "fs_write")), renamed);
    assert!(said.contains("the parameter's own name"), "{said}");
}

#[test]
fn a_name_too_long_for_providers_is_refused_where_it_stands() {
    let long = quote::format_ident!("{}", "a".repeat(65));
    let said = said(quote!(), quote!(/** Adds. */ async fn #long() -> Result<u8, E> {}));
    assert!(said.contains("can't name a tool"), "{said}");
}

#[test]
fn structs_are_called_like_their_functions() {
    for (function, structure) in [("open_ticket", "OpenTicket"), ("a", "A"), ("_fs_read2", "FsRead2")] {
        assert_eq!(camel(function), structure);
    }
}
