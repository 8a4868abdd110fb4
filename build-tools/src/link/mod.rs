//! From rlibs to what is linked and packed. Results are cached by content; the
//! cache's key holds [`SOURCES`], the digest of this folder and of the crates that
//! pack (`build.rs`). So a result that other code would make otherwise is not found.
//! Modules here use nothing of the tool but `paths` and `run`: a test says so.
//!
//! | file | what |
//! |---|---|
//! | `object` | an rlib becomes one object, which is packed |
//! | `base` | the boot image and its symbols |
//! | `script` | how sections are gathered |
//! | `unwind_index` | the index of unwind tables |

pub mod base;
pub mod object;
pub mod script;
pub mod unwind_index;

/// The digest of the sources that decide about cached results.
pub const SOURCES: &str = env!("MITOS_LINK_SOURCES");

#[cfg(test)]
mod tests {
    #[test]
    fn nothing_else_of_the_tool_decides_about_cached_results() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/link");
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for used in text.match_indices("crate::").map(|(at, _)| &text[at + 7..]) {
                let allowed = ["link::", "paths::", "run::", "unwind_index", "object"];
                assert!(
                    allowed.iter().any(|name| used.starts_with(name)),
                    "{}: crate::{}",
                    path.display(),
                    used.lines().next().unwrap_or_default()
                );
            }
        }
    }
}
