//! Which function bodies others are compiled with.
//!
//! Cells are compiled with `-Zcross-crate-inline-threshold=never` and one crate at a
//! time, so a plain function is code in its own crate and a symbol to all others:
//! its body can change without them. That holds for none of these, which keep it:
//!
//! - generic functions, functions of generic impls, provided functions of traits:
//!   compiled by whoever uses them;
//! - `#[inline]` functions;
//! - `const` functions, which others run while they compile;
//! - functions that return `impl Trait` or are `async`: the body decides the type;
//! - functions that take anything by value but plain numbers, references and
//!   pointers: the compiler tells callers whether the body writes to what is passed
//!   in memory (rustc's `deduced_param_attrs`);
//! - bodies with an `impl` or a macro's definition inside, which reach out of them.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{
    Attribute, Block, FnArg, GenericParam, Generics, ImplItem, Item, ReceiverKind, Signature, Type,
};

/// Empties the bodies that others are not compiled with.
pub fn strip(items: &mut [Item]) {
    for item in items {
        match item {
            Item::Fn(function) => empty(&function.attrs, &function.sig, &mut function.block),
            Item::Impl(block) if !is_generic(&block.generics) => {
                for item in &mut block.items {
                    if let ImplItem::Fn(function) = item {
                        empty(&function.attrs, &function.sig, &mut function.block);
                    }
                }
            }
            Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    strip(items);
                }
            }
            _ => {}
        }
    }
}

fn empty(attributes: &[Attribute], signature: &Signature, body: &mut Block) {
    let inline = attributes.iter().any(|a| a.path().is_ident("inline"));
    let once = !inline
        && signature.constness.is_none()
        && signature.asyncness.is_none()
        && !is_generic(&signature.generics)
        && !mentions(signature.output.to_token_stream(), &["impl"])
        && signature.inputs.iter().all(is_plain)
        && !mentions(body.to_token_stream(), &["impl", "macro_rules"]);
    if once {
        body.stmts.clear();
    }
}

fn is_generic(generics: &Generics) -> bool {
    let lifetime = |parameter: &GenericParam| matches!(parameter, GenericParam::Lifetime(_));
    !generics.params.iter().all(lifetime)
}

/// Whether an argument is passed in registers whatever it is.
fn is_plain(argument: &FnArg) -> bool {
    match argument {
        FnArg::Receiver(receiver) => matches!(receiver.kind, ReceiverKind::Reference(..)),
        FnArg::Typed(typed) => {
            let plain = match &*typed.ty {
                Type::Reference(_) | Type::Ptr(_) => true,
                Type::Path(path) => path.path.get_ident().is_some_and(|name| {
                    const NUMBERS: [&str; 16] = [
                        "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64",
                        "i128", "isize", "bool", "char", "f32", "f64",
                    ];
                    NUMBERS.iter().any(|number| name == number)
                }),
                _ => false,
            };
            plain && !mentions(typed.ty.to_token_stream(), &["impl"])
        }
    }
}

fn mentions(tokens: TokenStream, words: &[&str]) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => words.iter().any(|word| ident == word),
        TokenTree::Group(group) => mentions(group.stream(), words),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use crate::tokens::tests::normalize;

    /// Whether a change of `{ 1 }` to `{ 2 }` in the source is seen.
    fn counts(source: &str) -> bool {
        let changed = source.replace("{ 1 }", "{ 2 }");
        assert_ne!(source, changed);
        normalize(source) != normalize(&changed)
    }

    #[test]
    fn bodies_that_are_compiled_once_do_not_count() {
        for source in [
            "pub fn f() -> u32 { 1 }",
            "pub fn f(a: &[u8], b: usize, c: *const u8) -> u32 { 1 }",
            "impl S { pub fn f<'a>(&'a self, other: &'a S) -> u32 { 1 } }",
            "impl Drop for S { fn drop(&mut self) -> u32 { 1 } }",
            "mod inner { pub fn f() -> u32 { 1 } }",
        ] {
            assert!(!counts(source), "{source}");
        }
    }

    #[test]
    fn bodies_that_others_are_compiled_with_count() {
        for source in [
            "pub fn f<T>(a: &T) -> u32 { 1 }",
            "pub fn f(a: impl Fn()) -> u32 { 1 }",
            "pub fn f(a: &dyn Fn() , b: &impl Fn()) -> u32 { 1 }",
            "pub fn f<const N: usize>() -> u32 { 1 }",
            "impl<T> S<T> { pub fn f(&self) -> u32 { 1 } }",
            "pub trait T { fn f(&self) -> u32 { 1 } }",
            "#[inline] pub fn f() -> u32 { 1 }",
            "#[inline(always)] pub fn f() -> u32 { 1 }",
            "pub const fn f() -> u32 { 1 }",
            "pub fn f() -> impl Fn() { 1 }",
            "pub async fn f() -> u32 { 1 }",
            "pub fn f(a: Big) -> u32 { 1 }",
            "impl S { pub fn f(self) -> u32 { 1 } }",
            "pub fn f() { impl S { pub fn g() -> u32 { 1 } } }",
            "pub const A: u32 = { 1 };",
            "macro_rules! m { () => { 1 } }",
        ] {
            assert!(counts(source), "{source}");
        }
    }
}
