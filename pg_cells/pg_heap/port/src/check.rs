//! What a check of a file found.

use alloc::vec::Vec;

/// One thing that must not be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Finding {
    /// The page.
    pub block: u32,
    /// The slot on it; 0 for the page as a whole.
    pub slot: u16,
    /// What is wrong.
    pub what: Fault,
}

/// What can be wrong with a page or an item of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The page is of another kind.
    Kind,
    /// The page's header makes no sense.
    Header,
    /// An item lies outside the page, over another, or is too short.
    Item,
    /// A redirect leads to nothing or to a redirect.
    Redirect,
    /// A version's chain leads outside its page, or to one of another row.
    Chain,
    /// Marks of a version contradict one another.
    Marks,
    /// Keys are not in order, or outside the page's bounds.
    Order,
    /// A link between pages leads to a wrong one.
    Link,
    /// A child's separator is missing from its parent.
    Parent,
    /// A page is said to be visible to everyone, and is not.
    AllVisible,
    /// The page could not be read.
    Unreadable,
}

/// The result of a check.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CheckReport {
    /// Pages looked at.
    pub pages: u32,
    /// Rows or entries seen.
    pub items: u64,
    /// What is wrong, at most a hundred of them.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes a finding.
    pub fn add(&mut self, block: u32, slot: u16, what: Fault) {
        if self.findings.len() < 100 {
            self.findings.push(Finding { block, slot, what });
        }
    }
}
