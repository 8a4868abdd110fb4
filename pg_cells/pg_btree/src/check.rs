//! What must hold in every tree. [`tree`] reads pages through a closure, so it
//! also serves tools that read a disk without the system.

use crate::descend::open;
use crate::node::{Bound, Node, Position, ROOT};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use pg_btree_port::{CheckReport, FileId, IndexError};
use pg_heap_port::Fault;
use pg_page::{Page, header};

/// Checks a file.
///
/// # Errors
/// When there is no such file.
pub fn file(file: FileId) -> Result<CheckReport, IndexError> {
    let blocks = pg_buffer_port::blocks(file)?;
    let read = |block| open(file, block).map(|page| Box::new(*page));
    Ok(tree(blocks, read))
}

/// A page to look at, and what its parent says of it.
struct Task {
    block: u32,
    /// None for the root, which may have any.
    level: Option<u16>,
    low: Bound,
    high: Option<Bound>,
}

/// Checks a tree of `blocks` pages that `read` gives; a page that it does not give
/// is a finding, and what is below it is not looked at.
pub fn tree<E>(blocks: u32, mut read: impl FnMut(u32) -> Result<Box<Page>, E>) -> CheckReport {
    let mut seen = BTreeSet::new();
    let mut report = CheckReport::default();
    let mut tasks = vec![Task {
        block: ROOT,
        level: None,
        low: Bound::default(),
        high: None,
    }];
    // The right link that the page last seen on each level had.
    let mut links: Vec<Option<Option<u32>>> = Vec::new();
    let mut is_whole = true;
    while let Some(task) = tasks.pop() {
        seen.insert(task.block);
        let Ok(bytes) = read(task.block) else {
            report.add(task.block, 0, Fault::Unreadable);
            // Nobody knows where the levels go on.
            links.fill(None);
            is_whole = false;
            continue;
        };
        report.pages += 1;
        let Some(node) = Node::new(&bytes).filter(|_| header::is_sane(&bytes)) else {
            report.add(task.block, 0, Fault::Kind);
            continue;
        };
        if node.is_free() || task.level.is_some_and(|level| level != node.level()) {
            report.add(task.block, 0, Fault::Parent);
            continue;
        }
        let level = usize::from(node.level());
        links.resize(links.len().max(level + 1), None);
        if links[level]
            .replace(node.right())
            .is_some_and(|link| link != Some(task.block))
        {
            report.add(task.block, 0, Fault::Link);
        }
        bounds(&task, &node, &mut report);
        children(&task, &node, &mut tasks, &mut report);
    }
    for (level, link) in links.iter().enumerate() {
        if is_whole && *link != Some(None) {
            report.add(ROOT, level as u16, Fault::Link);
        }
    }
    if is_whole {
        free(&mut read, &mut seen, &mut report);
        lost(blocks, &mut read, &seen, &mut report);
    }
    report
}

/// The free pages are free, and each is one for once.
fn free<E>(
    read: &mut impl FnMut(u32) -> Result<Box<Page>, E>,
    seen: &mut BTreeSet<u32>,
    report: &mut CheckReport,
) {
    let mut at = ROOT;
    while let Ok(bytes) = read(at) {
        let node = Node::new(&bytes).filter(|node| at == ROOT || node.is_free());
        let Some(node) = node else {
            return report.add(at, 0, Fault::Link);
        };
        match node.next_free() {
            None => return,
            Some(next) if seen.insert(next) => at = next,
            Some(_) => return report.add(at, 0, Fault::Link),
        }
        report.pages += 1;
    }
    report.add(at, 0, Fault::Unreadable);
}

/// Every page is of the tree, or free; or all zero still, as a power cut can leave
/// the one with which the file grew last.
fn lost<E>(
    blocks: u32,
    read: &mut impl FnMut(u32) -> Result<Box<Page>, E>,
    seen: &BTreeSet<u32>,
    report: &mut CheckReport,
) {
    for block in (0..blocks).filter(|block| !seen.contains(block)) {
        match read(block) {
            Ok(bytes) if header::kind(&bytes) == 0 => {}
            Ok(_) => report.add(block, 0, Fault::Link),
            Err(_) => report.add(block, 0, Fault::Unreadable),
        }
    }
}

/// Positions ascend, within the bounds that the parent gives.
fn bounds(task: &Task, node: &Node<'_>, report: &mut CheckReport) {
    if node.high() != task.high.as_ref().map(Bound::position) {
        report.add(task.block, 0, Fault::Parent);
    }
    let mut last: Option<Position<'_>> = None;
    for index in 0..node.len() {
        let at = node.position(index);
        let in_order = last.is_none_or(|last| last < at);
        let inside = at >= task.low.position() && node.high().is_none_or(|high| at < high);
        if !in_order || !inside {
            report.add(task.block, index + 1, Fault::Order);
        }
        last = Some(at);
    }
    if node.is_leaf() {
        report.items += u64::from(node.len());
    } else if node.len() == 0 || node.position(0) != task.low.position() {
        report.add(task.block, 1, Fault::Parent);
    }
}

/// Queues the pages below, so that the leftmost is looked at first.
fn children(task: &Task, node: &Node<'_>, tasks: &mut Vec<Task>, report: &mut CheckReport) {
    if node.is_leaf() {
        return;
    }
    for index in (0..node.len()).rev() {
        let high = match index + 1 {
            next if next < node.len() => Some(node.position(next).to_owned()),
            _ => task.high.clone(),
        };
        match node.child(index) {
            Some(block) if block != ROOT => tasks.push(Task {
                block,
                level: Some(node.level() - 1),
                low: node.position(index).to_owned(),
                high,
            }),
            _ => report.add(task.block, index + 1, Fault::Link),
        }
    }
}
