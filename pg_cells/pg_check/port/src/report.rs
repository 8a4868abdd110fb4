//! What a check looked at and found: plain data, and as a table for people.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{Display, Formatter, Result};
use pg_buffer_port::{FileId, PageId};
use pg_wal_port::Lsn;

/// The most findings that a report keeps; further ones are counted.
pub const MOST_FINDINGS: usize = 1000;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Severity {
    /// Worth knowing; a power cut can leave it, and nothing is lost by it.
    Note,
    /// Something is not as it was written, or was written wrong.
    Damage,
}

/// Where.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// A copy of the superblock, 0 or 1.
    Superblock(u8),
    /// A position of the log.
    Log(Lsn),
    /// A page.
    Page(PageId),
    /// An item of a page, counted from 1.
    Item(PageId, u16),
    /// A file.
    File(FileId),
    /// An extent of the disk.
    Extent(u32),
    /// A relation, by its id.
    Relation(u32),
    /// The system as a whole.
    System,
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum What {
    /// A copy of the superblock is not what was written.
    Superblock,
    /// A record's checksum fits and its body makes no sense.
    Record,
    /// The log ends in what might be a record that was cut short.
    TornEnd,
    /// Behind the log's end there are records that belong to it.
    Gap,
    /// The log ends before a change that a page has.
    LogTooShort,
    /// The page is not what was written.
    Checksum,
    /// The device does not give the page.
    Unreadable,
    /// The page is of another kind than its place asks for.
    Kind,
    /// The page's header makes no sense.
    Header,
    /// An item lies outside its page, over another, or is too short.
    Item,
    /// A redirect leads to nothing.
    Redirect,
    /// A chain of versions is broken.
    Chain,
    /// A version's marks contradict one another.
    Marks,
    /// A version's marks contradict the commit log.
    Hint,
    /// A version names a transaction that has not been yet.
    Xid,
    /// Keys are not in order, or outside the page's bounds.
    Order,
    /// A link between pages leads to a wrong one.
    Link,
    /// A page's bounds are not those of its parent.
    Parent,
    /// An index entry leads to no row.
    NoRow,
    /// A row lacks its entry in an index.
    NoEntry,
    /// A row has another key than its entry.
    Key,
    /// A page is said to be visible to everyone, and is not.
    AllVisible,
    /// A row cannot be decoded.
    Row,
    /// The space map contradicts itself.
    SpaceMap,
    /// A file belongs to nobody.
    Orphan,
    /// A relation has no file.
    NoFile,
    /// The catalogs cannot be read.
    Catalog,
    /// A part of the system does not run, or could not open the disk.
    NotRunning,
}

impl Display for What {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            What::Superblock => "damaged superblock",
            What::Record => "log record makes no sense",
            What::TornEnd => "torn end of the log",
            What::Gap => "log is interrupted",
            What::LogTooShort => "log ends too early",
            What::Checksum => "checksum is wrong",
            What::Unreadable => "cannot be read",
            What::Kind => "page of a wrong kind",
            What::Header => "bad page header",
            What::Item => "bad item",
            What::Redirect => "redirect to nothing",
            What::Chain => "broken chain of versions",
            What::Marks => "marks contradict each other",
            What::Hint => "marks contradict the commit log",
            What::Xid => "transaction of the future",
            What::Order => "keys out of order",
            What::Link => "wrong link",
            What::Parent => "bounds differ from the parent's",
            What::NoRow => "entry without a row",
            What::NoEntry => "row without an entry",
            What::Key => "row has another key",
            What::AllVisible => "not visible to everyone",
            What::Row => "row cannot be decoded",
            What::SpaceMap => "space map contradicts itself",
            What::Orphan => "file of nobody",
            What::NoFile => "relation without a file",
            What::Catalog => "catalogs cannot be read",
            What::NotRunning => "does not run",
        })
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Place::Superblock(copy) => write!(f, "superblock {copy}"),
            Place::Log(lsn) => write!(f, "log {lsn}"),
            Place::Page(page) => write!(f, "{page}"),
            Place::Item(page, slot) => write!(f, "{page}, item {slot}"),
            Place::File(file) => write!(f, "file {}.{}", file.0 >> 2, file.0 & 3),
            Place::Extent(extent) => write!(f, "extent {extent}"),
            Place::Relation(oid) => write!(f, "relation {oid}"),
            Place::System => f.write_str("system"),
        }
    }
}

/// One thing that must not be, or is worth knowing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub what: What,
    /// Of which relation, where that is known.
    pub name: String,
    /// More words; may be empty.
    pub detail: String,
}

impl Finding {
    /// Damage.
    #[must_use]
    pub fn damage(place: Place, what: What, detail: impl ToString) -> Self {
        Finding {
            severity: Severity::Damage,
            place,
            what,
            name: String::new(),
            detail: detail.to_string(),
        }
    }

    /// Something worth knowing.
    #[must_use]
    pub fn note(place: Place, what: What, detail: impl ToString) -> Self {
        Finding {
            severity: Severity::Note,
            ..Finding::damage(place, what, detail)
        }
    }
}

/// How much was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Looked {
    /// Log records.
    pub records: u64,
    /// Pages in use.
    pub pages: u64,
    /// Versions of rows.
    pub rows: u64,
    /// Index entries.
    pub entries: u64,
    /// Relations of the catalog.
    pub relations: u64,
}

/// The result of a check.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How much was looked at.
    pub looked: Looked,
    /// What was found, at most [`MOST_FINDINGS`].
    pub findings: Vec<Finding>,
    /// How much more was found.
    pub more: u64,
}

impl Report {
    /// Notes a finding.
    pub fn add(&mut self, finding: Finding) {
        match self.findings.len() < MOST_FINDINGS {
            true => self.findings.push(finding),
            false => self.more += 1,
        }
    }

    /// Whether nothing is damaged. There may be notes.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.more == 0 && self.damage().next().is_none()
    }

    /// What is damaged.
    pub fn damage(&self) -> impl Iterator<Item = &Finding> {
        let bad = |f: &&Finding| f.severity == Severity::Damage;
        self.findings.iter().filter(bad)
    }

    /// Takes over what another report says; what both say is said once.
    pub fn merge(&mut self, other: Report) {
        let (mine, its) = (&mut self.looked, other.looked);
        mine.records = mine.records.max(its.records);
        mine.pages += its.pages;
        mine.rows += its.rows;
        mine.entries += its.entries;
        mine.relations += its.relations;
        for finding in other.findings {
            if !self.findings.contains(&finding) {
                self.add(finding);
            }
        }
        self.more += other.more;
    }
}

impl Display for Report {
    /// A table: a line for each finding, and a last one that sums up.
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let widths = self.findings.iter().fold((5, 4, 8), |(a, b, c), finding| {
            let (place, what) = (finding.place.to_string(), finding.what.to_string());
            (
                a.max(place.len()),
                b.max(what.len()),
                c.max(finding.name.len()),
            )
        });
        let (place, what, name) = widths;
        if !self.findings.is_empty() {
            writeln!(
                f,
                "       {:<place$}  {:<what$}  {:<name$}  detail",
                "place", "what", "relation"
            )?;
        }
        for finding in &self.findings {
            let severity = match finding.severity {
                Severity::Note => "note",
                Severity::Damage => "DAMAGE",
            };
            writeln!(
                f,
                "{severity:<6} {:<place$}  {:<what$}  {:<name$}  {}",
                finding.place.to_string(),
                finding.what.to_string(),
                finding.name,
                finding.detail
            )?;
        }
        if self.more > 0 {
            writeln!(f, "and {} more", self.more)?;
        }
        let Looked {
            records,
            pages,
            rows,
            entries,
            relations,
        } = self.looked;
        let verdict = match self.is_sound() {
            true => "sound",
            false => "DAMAGED",
        };
        writeln!(
            f,
            "{verdict}: {records} log records, {pages} pages, {rows} row versions, \
             {entries} index entries, {relations} relations"
        )
    }
}
