//! Other revisions of this repository: which there are, their sources, what is built
//! from them.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::keys::Keys;
use crate::paths::Paths;
use crate::pipeline::{self, Parts};
use crate::run::{output, text};

/// A revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// The commit's id.
    pub commit: String,
    /// The first line of its message.
    pub subject: String,
}

impl Revision {
    /// The revision of this name: a branch, a tag, a commit.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(paths: &Paths, name: &str) -> Result<Self> {
        let found = list(paths, &["-n", "1", &format!("{name}^{{commit}}")])
            .with_context(|| format!("there is no revision `{name}`"))?;
        let first = found.into_iter().next();
        first.with_context(|| format!("there is no revision `{name}`"))
    }

    /// What runs shows of it: the start of its id.
    #[must_use]
    pub fn label(&self) -> &str {
        self.commit.get(..12).unwrap_or(&self.commit)
    }

    /// Builds it, in a work tree that is kept: what an earlier revision has compiled
    /// there and this one has not changed is not compiled again.
    ///
    /// # Errors
    /// When it cannot be checked out or does not build.
    pub fn build(&self, paths: &Paths) -> Result<Parts> {
        let tree = self.check_out(paths)?;
        // The running system trusts the key it was built with.
        let mut parts = pipeline::prepare_with(&tree, Keys::load(paths)?, &[])?;
        parts.label = self.label().to_string();
        Ok(parts)
    }

    fn check_out(&self, paths: &Paths) -> Result<Paths> {
        let tree = paths.revision();
        if tree.root().join(".git").exists() {
            let mut git = Command::new("git");
            git.arg("-C").arg(tree.root());
            text(git.args(["checkout", "--quiet", "--detach", "--force", &self.commit]))?;
        } else {
            text(git(paths).args(["worktree", "prune"]))?;
            text(
                git(paths)
                    .args(["worktree", "add", "--quiet", "--detach", "--force"])
                    .arg(tree.root())
                    .arg(&self.commit),
            )?;
        }
        warm(paths, &tree)?;
        Ok(tree)
    }
}

/// The revisions after `from` up to `to` that touch `folder`, oldest first, with
/// `from` before them. Merges, which touch nothing themselves, are not among them.
///
/// # Errors
/// When a name is no revision, or there is none between them.
pub fn between(paths: &Paths, from: &str, to: &str, folder: &str) -> Result<Vec<Revision>> {
    let range = format!("{from}..{to}");
    let mut found = list(
        paths,
        &[
            "--reverse",
            "--topo-order",
            "--no-merges",
            &range,
            "--",
            folder,
        ],
    )?;
    if found.is_empty() {
        bail!("no revision in {range} touches {folder}");
    }
    found.insert(0, Revision::find(paths, from)?);
    Ok(found)
}

/// The latest `count` revisions that touch `folder`, oldest first, with the one
/// before them.
///
/// # Errors
/// When there are not so many.
pub fn latest(paths: &Paths, count: usize, folder: &str) -> Result<Vec<Revision>> {
    let most = format!("{}", count + 1);
    let mut found = list(
        paths,
        &[
            "--topo-order",
            "--no-merges",
            "-n",
            &most,
            "HEAD",
            "--",
            folder,
        ],
    )?;
    if found.len() <= count {
        bail!("there are {} revisions that touch {folder}", found.len());
    }
    found.reverse();
    Ok(found)
}

/// What the work tree is: the commit, with a plus when it was changed since.
#[must_use]
pub fn working_tree(paths: &Paths) -> String {
    let Ok(commit) = text(git(paths).args(["rev-parse", "--short=12", "HEAD"])) else {
        return String::new();
    };
    let changes = text(git(paths).args(["status", "--porcelain", "--untracked-files=no"]));
    match changes {
        Ok(changes) if changes.is_empty() => commit,
        _ => commit + "+",
    }
}

fn list(paths: &Paths, arguments: &[&str]) -> Result<Vec<Revision>> {
    let lines = text(git(paths).args(["log", "--format=%H %s"]).args(arguments))?;
    let revision = |line: &str| {
        let (commit, subject) = line.split_once(' ')?;
        Some(Revision {
            commit: commit.to_string(),
            subject: subject.to_string(),
        })
    };
    Ok(lines.lines().filter_map(revision).collect())
}

fn git(paths: &Paths) -> Command {
    let mut git = Command::new("git");
    git.arg("-C").arg(paths.root());
    git
}

/// Lets the first build of another revision begin with a copy of what was compiled
/// here; cargo tells by the sources' content what holds. Not with second names of the
/// same files: cargo writes its notes over the old ones.
fn warm(paths: &Paths, tree: &Paths) -> Result<()> {
    let (here, there) = (paths.cells(), tree.cells());
    if there.exists() || !here.exists() {
        return Ok(());
    }
    let mut copy = Command::new("cp");
    copy.args(["--archive", "--reflink=auto"])
        .arg(here)
        .arg(&there);
    output(&mut copy).map(drop)
}
