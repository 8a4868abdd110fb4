//! Items that are not compiled into the system: unit tests, and what stands in for
//! it on the host. They do not count in fingerprints; neither do the files of such
//! modules. Only whole items are looked at: fields, arms and statements count
//! whatever their attributes say.

use std::path::{Path, PathBuf};

use syn::{Attribute, ImplItem, Item};

/// Conditions that never hold in the system.
const NEVER: [&str; 4] = ["test", "not(mitos)", "any(test,not(mitos))", "loom"];

/// Removes the items that are absent; gives the names of removed modules that have
/// files of their own.
pub fn remove(items: &mut Vec<Item>) -> Vec<String> {
    let mut modules = Vec::new();
    items.retain(|item| {
        let absent = is_absent(attributes(item));
        if let Item::Mod(module) = item
            && absent
            && module.content.is_none()
        {
            modules.push(module.ident.to_string());
        }
        !absent
    });
    for item in items {
        match item {
            Item::Impl(block) => block.items.retain(|item| match item {
                ImplItem::Fn(function) => !is_absent(&function.attrs),
                _ => true,
            }),
            // Its modules' files lie elsewhere, and are counted.
            Item::Mod(module) => {
                if let Some((_, items)) = &mut module.content {
                    remove(items);
                }
            }
            _ => {}
        }
    }
    modules
}

/// The file and the folder of a module that `file` declares.
#[must_use]
pub fn places(file: &Path, module: &str) -> [PathBuf; 2] {
    let parent = file.parent().unwrap_or(file);
    let stem = file.file_stem().unwrap_or_default();
    let folder = match stem.to_str() {
        Some("lib" | "mod" | "main") => parent.to_path_buf(),
        _ => parent.join(stem),
    };
    [folder.join(format!("{module}.rs")), folder.join(module)]
}

fn is_absent(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let syn::Meta::List(list) = &attribute.meta else {
            return false;
        };
        let condition = list.tokens.to_string().replace(' ', "");
        list.path.is_ident("cfg") && NEVER.contains(&condition.as_str())
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_and_files_of_the_host_are_absent() {
        let source = "
            #[cfg(not(mitos))] mod host;
            #[cfg(mitos)] mod kernel;
            #[cfg(test)] use x::{a, b};
            pub struct S { #[cfg(not(mitos))] a: u8, b: u8 }
            impl S { #[cfg(not(mitos))] fn f() {} fn g() {} }
            mod inner { #[cfg(test)] fn t() {} }
        ";
        let mut items = syn::parse_file(source).unwrap().items;
        assert_eq!(remove(&mut items), ["host"]);
        let expected = "
            #[cfg(mitos)] mod kernel;
            pub struct S { #[cfg(not(mitos))] a: u8, b: u8 }
            impl S { fn g() {} }
            mod inner { }
        ";
        assert!(items == syn::parse_file(expected).unwrap().items);
    }

    #[test]
    fn modules_lie_beside_or_below() {
        let lib = places(Path::new("src/lib.rs"), "a");
        assert_eq!(lib, ["src/a.rs", "src/a"].map(PathBuf::from));
        let other = places(Path::new("src/b.rs"), "a");
        assert_eq!(other, ["src/b/a.rs", "src/b/a"].map(PathBuf::from));
    }
}
