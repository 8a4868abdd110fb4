//! Rules about sources as syntax: length of functions, place of `unsafe`.

use std::collections::BTreeMap;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::tree::{File, expect_none, members, owner, rust};

/// No function is longer, unless its documentation calls it a dispatch table.
const MAX_FUNCTION: usize = 70;

/// The folders whose crates may use `unsafe`: those that touch hardware, the
/// memory of others, or code as data.
const MAY_BE_UNSAFE: [&str; 24] = [
    "nano_core",
    "mod_mgmt",
    "mod_mgmt/object",
    "cells/cpu",
    "cells/memory",
    "cells/task",
    "cells/task/port",
    "cells/sync",
    "cells/port",
    "cells/interrupts",
    "cells/time",
    "cells/pci",
    "cells/nvme",
    "cells/virtio_net",
    // The rings shared with a device are handles: their code is in the port.
    "cells/nvme/port",
    "cells/virtio_net/port",
    // The bytes of pages, which devices reach and tasks share: all of the
    // database's access goes through here.
    "cells/frame",
    // Calls the CPU's own instruction.
    "cells/checksum",
    // Takes a device's place, on the host only.
    "tests/sim_disk",
    // Locks and task-local memory of a model, on the host only.
    "tests/port_model",
    // Faults on purpose.
    "cells/selftest",
    // Measures what a frame costs by taking and giving one.
    "cells/benchmark",
    "cells/unwind",
    "cells/console",
];

fn may_be_unsafe(path: &str) -> bool {
    owner(path).is_some_and(|member| MAY_BE_UNSAFE.contains(&member.folder.as_str()))
}

fn parse(file: &File) -> syn::File {
    syn::parse_file(&file.text).unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

fn lines(span: Span) -> usize {
    span.end().line - span.start().line + 1
}

#[derive(Default)]
struct Functions {
    /// Name, first line, length.
    long: Vec<(String, usize, usize)>,
}

impl Functions {
    fn look(&mut self, attributes: &[syn::Attribute], signature: &syn::Signature, body: Span) {
        let length = body.end().line - signature.span().start().line + 1;
        if length > MAX_FUNCTION && !is_dispatch_table(attributes) {
            let line = signature.span().start().line;
            self.long.push((signature.ident.to_string(), line, length));
        }
    }
}

fn is_dispatch_table(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) => text.value().to_lowercase().contains("dispatch table"),
            _ => false,
        },
        _ => false,
    })
}

impl<'a> Visit<'a> for Functions {
    fn visit_item_fn(&mut self, function: &'a syn::ItemFn) {
        self.look(&function.attrs, &function.sig, function.block.span());
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'a syn::ImplItemFn) {
        self.look(&function.attrs, &function.sig, function.block.span());
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'a syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.look(&function.attrs, &function.sig, body.span());
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

#[test]
fn functions_stay_short() {
    let mut faults = Vec::new();
    for file in rust() {
        let mut functions = Functions::default();
        functions.visit_file(&parse(file));
        for (name, line, length) in functions.long {
            faults.push(format!("{}:{line}: {name} has {length} lines", file.path));
        }
    }
    expect_none("a function has at most 70 lines", &faults);
}

#[derive(Default)]
struct Unsafe {
    /// First line of each block.
    blocks: Vec<usize>,
    /// Lines within blocks and unsafe functions.
    lines: usize,
    /// Unsafe functions, impls and traits.
    items: usize,
}

impl<'a> Visit<'a> for Unsafe {
    fn visit_expr_unsafe(&mut self, block: &'a syn::ExprUnsafe) {
        self.blocks.push(block.span().start().line);
        self.lines += lines(block.span());
        syn::visit::visit_expr_unsafe(self, block);
    }

    fn visit_signature(&mut self, signature: &'a syn::Signature) {
        self.items += usize::from(matches!(signature.safety, syn::Safety::Unsafe(_)));
        syn::visit::visit_signature(self, signature);
    }

    fn visit_item_impl(&mut self, item: &'a syn::ItemImpl) {
        self.items += usize::from(item.unsafety.is_some());
        syn::visit::visit_item_impl(self, item);
    }
}

#[test]
fn unsafe_has_an_address() {
    let mut faults = Vec::new();
    for file in rust().filter(|file| !may_be_unsafe(&file.path)) {
        let mut found = Unsafe::default();
        found.visit_file(&parse(file));
        if !found.blocks.is_empty() || found.items > 0 {
            faults.push(format!("{}: lines {:?}", file.path, found.blocks));
        }
    }
    expect_none("unsafe outside of the crates that may use it", &faults);
}

#[test]
fn every_other_crate_forbids_unsafe() {
    let mut faults = Vec::new();
    for member in members()
        .iter()
        .filter(|m| !MAY_BE_UNSAFE.contains(&m.folder.as_str()))
    {
        let folder = format!("{}/src/", member.folder);
        let mut sources = rust().filter(|file| file.path.starts_with(&folder));
        // A crate that is still empty has nothing to forbid.
        if rust()
            .filter(|f| f.path.starts_with(&folder))
            .all(|f| f.text.lines().count() < 5)
        {
            continue;
        }
        let forbids = sources.any(|file| {
            file.path.ends_with("/lib.rs") && file.text.contains("\n#![forbid(unsafe_code)]\n")
        });
        if !forbids {
            faults.push(format!("{} ({})", member.name, member.folder));
        }
    }
    expect_none("#![forbid(unsafe_code)] is missing", &faults);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut faults = Vec::new();
    let mut per_crate: BTreeMap<&str, usize> = BTreeMap::new();
    for file in rust() {
        let mut found = Unsafe::default();
        found.visit_file(&parse(file));
        if found.lines == 0 {
            continue;
        }
        let name = owner(&file.path).map_or("?", |member| member.name.as_str());
        *per_crate.entry(name).or_default() += found.lines;
        let text: Vec<&str> = file.text.lines().collect();
        for line in found.blocks {
            if !is_explained(&text, line) {
                faults.push(format!("{}:{line}", file.path));
            }
        }
    }
    println!("lines of unsafe per crate: {per_crate:?}");
    expect_none("an unsafe block has a SAFETY comment", &faults);
}

/// True when a SAFETY comment stands on the block's line, or in the comment
/// right above the statement that holds it.
fn is_explained(text: &[&str], line: usize) -> bool {
    if text[line - 1].contains("SAFETY:") {
        return true;
    }
    let above = text[..line - 1].iter().rev().take(24);
    for candidate in above {
        let candidate = candidate.trim();
        if candidate.contains("SAFETY:") {
            return true;
        }
        // The end of an earlier statement or item: what is above is not ours.
        let is_comment = candidate.starts_with("//");
        if !is_comment
            && (candidate.ends_with(';') || candidate.ends_with('}') || candidate.is_empty())
        {
            return false;
        }
    }
    false
}
