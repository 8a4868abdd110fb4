//! A Rust source without what cannot change its meaning to others: comments,
//! layout, documentation, what is not compiled into the system (`absent.rs`), the bodies
//! of functions that are compiled once, in their own crate (`bodies.rs`), and what the
//! crate keeps to itself (`private.rs`).

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::File;

/// A source without the items that are absent and the bodies that are compiled once, and
/// the names of the modules whose files do not matter.
///
/// # Errors
/// When it is not Rust.
pub fn parse(source: &str) -> syn::Result<(File, Vec<String>)> {
    let mut file = syn::parse_file(source)?;
    let absent = crate::absent::remove(&mut file.items);
    crate::bodies::strip(&mut file.items);
    Ok((file, absent))
}

/// The tokens that matter of a crate's sources, as text.
pub fn of_crate(mut files: Vec<File>) -> Vec<String> {
    crate::private::remove(&mut files);
    files.into_iter().map(text).collect()
}

fn text(file: File) -> String {
    let mut text = String::new();
    write(file.into_token_stream(), &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        if is_hash(&token) {
            let mut inner = "";
            if tokens.peek().is_some_and(is_bang) {
                tokens.next();
                inner = "!";
            }
            let Some(TokenTree::Group(attribute)) = tokens.next() else {
                continue;
            };
            match attribute.stream().to_string().replace(' ', "").as_str() {
                doc if doc.starts_with("doc=") => {}
                other => {
                    text.push('#');
                    text.push_str(inner);
                    text.push_str(other);
                    text.push('\n');
                }
            }
            continue;
        }
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
            }
            other => {
                text.push_str(&other.to_string());
                text.push(' ');
            }
        }
    }
}

fn is_hash(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#')
}

fn is_bang(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == '!')
}

#[cfg(test)]
pub(crate) mod tests {
    use super::{parse, text};

    /// The tokens that matter of a source by itself, private items and all.
    pub(crate) fn normalize(source: &str) -> String {
        parse(source).map(|(file, _)| text(file)).unwrap()
    }

    const SOURCE: &str = "
        //! A door.
        #![no_std]
        /// Counts.
        pub struct Count(pub u32); // four bytes
        #[cfg(test)]
        mod tests { fn looks() {} }
        pub fn twice(count: Count) -> u32 { count.0 * 2 }
        pub fn thrice(count: &Count) -> u32 { count.0 * 3 }
    ";

    #[test]
    fn comments_layout_tests_and_bodies_compiled_once_do_not_count() {
        let other = "#![no_std] pub struct Count ( pub u32 ) ;
            /* how */ pub fn twice(count: Count) -> u32 { count.0 * 2 } #[cfg(test)] use core::fmt;
            pub fn thrice(count: &Count) -> u32 { count.0 + count.0 + count.0 }";
        assert_eq!(normalize(SOURCE), normalize(other));
    }

    #[test]
    fn code_and_attributes_count() {
        let wider = SOURCE.replace("u32);", "u64);");
        let packed = SOURCE.replace("pub struct", "#[repr(transparent)] pub struct");
        let body = SOURCE.replace("* 2", "* 3");
        for changed in [wider, packed, body] {
            assert_ne!(normalize(SOURCE), normalize(&changed));
        }
    }
}
