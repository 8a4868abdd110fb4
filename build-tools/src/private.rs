//! What a crate keeps to itself: functions, methods, constants and imports that are not
//! `pub` and that nothing mentions with which others are compiled. Whether that is so is
//! decided by names in the whole crate, when the bodies that are compiled once
//! (`bodies.rs`) are gone: a name that is mentioned anywhere keeps all that have it.
//!
//! An import can matter without its name, by the methods it brings: those of a file in
//! which a body is left, or a macro, all count, and so do those of all files when one takes
//! over whatever another has by `*`.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Block, File, ImplItem, Item, ItemImpl, TraitItem, UseTree, Visibility};

/// Attributes of functions and constants that say nothing to others.
const HARMLESS: [&str; 8] = [
    "allow",
    "cfg",
    "cold",
    "doc",
    "expect",
    "inline",
    "must_use",
    "track_caller",
];

/// Names that others are compiled with.
type Names = BTreeSet<String>;

/// Something that is looked at only when its name is mentioned.
struct Hidden {
    name: String,
    mentions: Names,
}

/// Removes it from the sources of a crate.
pub fn remove(files: &mut [File]) {
    let (mut names, mut hidden) = (Names::new(), Vec::new());
    for file in files.iter() {
        collect(&file.items, &mut names, &mut hidden);
    }
    loop {
        let before = hidden.len();
        hidden.retain(|one| {
            let found = names.contains(&one.name);
            if found {
                names.extend(one.mentions.iter().cloned());
            }
            !found
        });
        if hidden.len() == before {
            break;
        }
    }
    let shared = files.iter().any(|file| file.items.iter().any(takes_all));
    for file in files {
        remove_items(&mut file.items, &names);
        if !shared && !file.items.iter().any(has_body) {
            remove_imports(&mut file.items, &names);
        }
    }
}

fn collect(items: &[Item], names: &mut Names, hidden: &mut Vec<Hidden>) {
    for item in items {
        if let Some(name) = hidden_name(item) {
            hidden.push(Hidden {
                name,
                mentions: idents(item.to_token_stream()),
            });
            continue;
        }
        match item {
            Item::Use(import) if is_hidden(&import.vis) => {
                imports(&import.tree, &mut Names::new(), hidden)
            }
            Item::Impl(block) if block.trait_.is_none() => collect_methods(block, names, hidden),
            Item::Mod(module) => {
                if let Some((_, items)) = &module.content {
                    collect(items, names, hidden);
                }
            }
            _ => names.extend(idents(item.to_token_stream())),
        }
    }
}

fn collect_methods(block: &ItemImpl, names: &mut Names, hidden: &mut Vec<Hidden>) {
    let mut rest = block.clone();
    rest.items.retain(|item| match hidden_method(item) {
        Some(name) => {
            hidden.push(Hidden {
                name,
                mentions: idents(item.to_token_stream()),
            });
            false
        }
        None => true,
    });
    names.extend(idents(rest.to_token_stream()));
}

/// Each name that an import brings, with what it is made of.
fn imports(tree: &UseTree, path: &mut Names, hidden: &mut Vec<Hidden>) {
    let mut bring = |name: &syn::Ident, path: &Names| {
        hidden.push(Hidden {
            name: name.to_string(),
            mentions: path.clone(),
        });
    };
    match tree {
        UseTree::Path(step) => {
            let mut path = path.clone();
            path.insert(step.ident.to_string());
            imports(&step.tree, &mut path, hidden);
        }
        UseTree::Name(name) => bring(&name.ident, path),
        UseTree::Rename(rename) => {
            path.insert(rename.ident.to_string());
            bring(&rename.rename, path);
        }
        UseTree::Glob(_) => {}
        UseTree::Group(group) => {
            for tree in &group.items {
                imports(tree, &mut path.clone(), hidden);
            }
        }
    }
}

fn remove_items(items: &mut Vec<Item>, names: &Names) {
    items.retain_mut(|item| {
        if let Some(name) = hidden_name(item) {
            return names.contains(&name);
        }
        match item {
            Item::Impl(block) if block.trait_.is_none() => {
                let is_kept =
                    |item: &ImplItem| hidden_method(item).is_none_or(|name| names.contains(&name));
                block.items.retain(is_kept);
                return !block.items.is_empty();
            }
            Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    remove_items(items, names);
                }
            }
            _ => {}
        }
        true
    });
}

fn remove_imports(items: &mut Vec<Item>, names: &Names) {
    items.retain_mut(|item| match item {
        Item::Use(import) if is_hidden(&import.vis) => match pruned(import.tree.clone(), names) {
            Some(tree) => {
                import.tree = tree;
                true
            }
            None => false,
        },
        Item::Mod(module) => {
            if let Some((_, items)) = &mut module.content {
                remove_imports(items, names);
            }
            true
        }
        _ => true,
    });
}

/// An import without the names that nothing mentions.
fn pruned(tree: UseTree, names: &Names) -> Option<UseTree> {
    match tree {
        UseTree::Path(mut step) => {
            *step.tree = pruned(*step.tree, names)?;
            Some(UseTree::Path(step))
        }
        UseTree::Name(name) => {
            let mentioned = name.ident == "self" || names.contains(&name.ident.to_string());
            mentioned.then_some(UseTree::Name(name))
        }
        UseTree::Rename(rename) => {
            let mentioned = rename.rename == "_" || names.contains(&rename.rename.to_string());
            mentioned.then_some(UseTree::Rename(rename))
        }
        UseTree::Glob(glob) => Some(UseTree::Glob(glob)),
        UseTree::Group(mut group) => {
            let kept = group.items.into_iter();
            let mut kept: Vec<UseTree> = kept.filter_map(|tree| pruned(tree, names)).collect();
            if kept.len() < 2 {
                return kept.pop();
            }
            group.items = kept.into_iter().collect();
            Some(UseTree::Group(group))
        }
    }
}

/// The name of a function or a constant that may be the crate's own affair.
fn hidden_name(item: &Item) -> Option<String> {
    let (visibility, attributes, name) = match item {
        Item::Fn(function) => (&function.vis, &function.attrs, &function.sig.ident),
        Item::Const(constant) => (&constant.vis, &constant.attrs, &constant.ident),
        _ => return None,
    };
    let hidden = is_hidden(visibility) && are_harmless(attributes) && name != "_";
    hidden.then(|| name.to_string())
}

fn hidden_method(item: &ImplItem) -> Option<String> {
    let ImplItem::Fn(function) = item else {
        return None;
    };
    let hidden = is_hidden(&function.vis) && are_harmless(&function.attrs);
    hidden.then(|| function.sig.ident.to_string())
}

fn is_hidden(visibility: &Visibility) -> bool {
    !matches!(visibility, Visibility::Public(_))
}

fn are_harmless(attributes: &[Attribute]) -> bool {
    let harmless = |a: &Attribute| HARMLESS.iter().any(|name| a.path().is_ident(name));
    attributes.iter().all(harmless)
}

/// Whether a body is left, in which methods may be called, or a macro, which may make one.
fn has_body(item: &Item) -> bool {
    let left = |body: &Block| !body.stmts.is_empty();
    match item {
        Item::Fn(function) => left(&function.block),
        Item::Impl(block) => block.items.iter().any(|item| match item {
            ImplItem::Fn(function) => left(&function.block),
            ImplItem::Macro(_) | ImplItem::Verbatim(_) => true,
            _ => false,
        }),
        Item::Trait(block) => block.items.iter().any(|item| match item {
            TraitItem::Fn(function) => function.default.as_ref().is_some_and(left),
            TraitItem::Macro(_) | TraitItem::Verbatim(_) => true,
            _ => false,
        }),
        Item::Mod(module) => {
            let items = module.content.as_ref();
            items.is_some_and(|(_, items)| items.iter().any(has_body))
        }
        Item::Macro(_) | Item::Verbatim(_) => true,
        _ => false,
    }
}

/// Whether an item imports all that another module of the crate has.
fn takes_all(item: &Item) -> bool {
    fn has_glob(tree: &UseTree) -> bool {
        match tree {
            UseTree::Path(step) => has_glob(&step.tree),
            UseTree::Group(group) => group.items.iter().any(has_glob),
            UseTree::Glob(_) => true,
            UseTree::Name(_) | UseTree::Rename(_) => false,
        }
    }
    match item {
        Item::Use(import) => match &import.tree {
            UseTree::Path(step) => {
                let own = ["crate", "self", "super"]
                    .iter()
                    .any(|name| step.ident == name);
                own && has_glob(&step.tree)
            }
            tree => has_glob(tree),
        },
        Item::Mod(module) => {
            let items = module.content.as_ref();
            items.is_some_and(|(_, items)| items.iter().any(takes_all))
        }
        _ => false,
    }
}

fn idents(tokens: TokenStream) -> Names {
    let mut names = Names::new();
    let mut waiting = vec![tokens];
    while let Some(tokens) = waiting.pop() {
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    names.insert(ident.to_string());
                }
                TokenTree::Group(group) => waiting.push(group.stream()),
                _ => {}
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use crate::tokens::{of_crate, parse};

    fn normal(sources: &[&str]) -> Vec<String> {
        let files = sources.iter().map(|source| parse(source).unwrap().0);
        of_crate(files.collect())
    }

    const LIB: &str = "
        use a::{Kind, Thing};
        pub fn plain(thing: &Thing) -> u32 { helper(thing, Kind::One) }
        fn helper(thing: &Thing, kind: Kind) -> u32 { LIMIT }
        const LIMIT: u32 = 1;
        pub(crate) fn near() {}
        pub struct S;
        impl S { fn own(&self) { near() } pub fn f(&self) { self.own() } }
    ";

    #[test]
    fn what_only_bodies_compiled_once_use_does_not_count() {
        for other in [
            "use a::Thing; pub fn plain(thing: &Thing) -> u32 { thing.0 } pub struct S;
             impl S { pub fn f(&self) {} }",
            "use a::Thing; use b::{c::D, e}; pub fn plain(thing: &Thing) -> u32 { e(D) }
             fn other<T>(one: T) -> T { one } pub struct S;
             impl S { pub fn f(&self) { other(1) } }",
        ] {
            assert_eq!(normal(&[LIB]), normal(&[other]), "{other}");
        }
    }

    #[test]
    fn what_others_are_compiled_with_counts() {
        for (source, changed) in [
            // Of another type.
            (
                "use a::Thing; pub fn f(t: &Thing) {}",
                "use b::Thing; pub fn f(t: &Thing) {}",
            ),
            (
                "use a::X as T; pub fn f(t: &T) {}",
                "use a::Y as T; pub fn f(t: &T) {}",
            ),
            // Called by what others compile, in its turn.
            (
                "#[inline] pub fn f() { g() } fn g() { h() } fn h(a: u8) {}",
                "#[inline] pub fn f() { g() } fn g() { h() } fn h(a: u8) {} fn g(b: u8) {}",
            ),
            (
                "#[inline] pub fn f() { g(1) } fn g(a: u8) {}",
                "#[inline] pub fn f() { g(1) } fn g(a: u16) {}",
            ),
            (
                "#[inline] pub fn f() -> u8 { A } const A: u8 = B; const B: u8 = 1;",
                "#[inline] pub fn f() -> u8 { A } const A: u8 = B; const B: u8 = 2;",
            ),
            // The size of a type.
            (
                "pub struct S([u8; N]); const N: usize = 1;",
                "pub struct S([u8; N]); const N: usize = 2;",
            ),
            // By the method that it brings.
            (
                "use a::T; #[inline] pub fn f(x: &u8) { x.method() }",
                "use b::T; #[inline] pub fn f(x: &u8) { x.method() }",
            ),
            (
                "use a::*; pub fn f(x: &T) {}",
                "use b::*; pub fn f(x: &T) {}",
            ),
            // By its name alone.
            (
                "#[no_mangle] fn f(a: u8) {}",
                "#[no_mangle] fn f(a: u16) {}",
            ),
            // What others can name.
            ("pub const A: u8 = 1;", "pub const A: u8 = 2;"),
            ("pub fn f(a: u8) {}", "pub fn f(a: u16) {}"),
            ("static A: u8 = 1;", "static A: u16 = 1;"),
        ] {
            assert_ne!(normal(&[source]), normal(&[changed]), "{source}");
        }
    }

    #[test]
    fn imports_count_where_another_file_takes_them_over() {
        let child = "use super::*; #[inline] pub fn f(x: &u8) { x.method() }";
        let one = normal(&["use a::T;", child]);
        assert_ne!(one, normal(&["use b::T;", child]));
    }

    #[test]
    fn names_count_in_all_files_of_a_crate() {
        let user = "use super::helper; #[inline] pub fn f() { helper(1) }";
        let one = normal(&[user, "fn helper(a: u8) {}"]);
        assert_ne!(one, normal(&[user, "fn helper(a: u16) {}"]));
    }
}
