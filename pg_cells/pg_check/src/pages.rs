//! Every page in use: what the disk has of it, and whether it is of its file's
//! kind.

use alloc::collections::BTreeMap;
use alloc::format;
use pg_buffer_port::{BufferError, FileId, Fork, PageId, Verifier, read_page};
use pg_check_port::{Finding, Place, Report, What};
use pg_page::{LAYOUT_VERSION, header, maps};

/// What a file holds, as its pages say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Rows.
    Heap,
    /// A tree.
    Tree,
    /// A table's map of free space.
    FreeSpace,
    /// A table's map of pages that everyone sees all of.
    Visibility,
    /// Nothing yet.
    Empty,
    /// Something that is known to its owner alone.
    Other(u8),
}

/// The kinds of pages that this cell knows.
const HEAP: u8 = 16;
const TREE: u8 = 17;

impl Kind {
    fn of(kind: u8) -> Self {
        match kind {
            0 => Kind::Empty,
            HEAP => Kind::Heap,
            TREE => Kind::Tree,
            maps::FREE_SPACE_KIND => Kind::FreeSpace,
            maps::VISIBILITY_KIND => Kind::Visibility,
            other => Kind::Other(other),
        }
    }
}

/// Looks at all pages; what each file holds.
pub fn look(report: &mut Report) -> BTreeMap<FileId, Kind> {
    let mut kinds = BTreeMap::new();
    let mut verifier = match Verifier::new() {
        Ok(verifier) => verifier,
        Err(error) => {
            report.add(Finding::damage(Place::System, What::NotRunning, error));
            return kinds;
        }
    };
    let files = pg_buffer_port::files().unwrap_or_default();
    let all = files.iter().map(|(file, _)| *file);
    for file in core::iter::once(FileId::SPACE_MAP).chain(all) {
        let mut kind = Kind::Empty;
        for block in 0..verifier.blocks(file).unwrap_or(0) {
            page(&mut verifier, PageId::new(file, block), &mut kind, report);
        }
        if !belongs(file, kind) {
            let what = format!("{kind:?} in such a file");
            report.add(Finding::damage(Place::File(file), What::Kind, what));
        }
        if file != FileId::SPACE_MAP {
            kinds.insert(file, kind);
        }
    }
    kinds
}

/// Whether a file of a relation may hold this: its maps hold maps, and nothing else
/// does.
fn belongs(file: FileId, kind: Kind) -> bool {
    let is = |fork| file == FileId::new(file.relation(), fork);
    match kind {
        Kind::Empty => true,
        Kind::FreeSpace => is(Fork::FreeSpace),
        Kind::Visibility => is(Fork::Visibility),
        Kind::Heap | Kind::Tree | Kind::Other(_) => is(Fork::Main),
    }
}

fn page(verifier: &mut Verifier, id: PageId, kind: &mut Kind, report: &mut Report) {
    report.looked.pages += 1;
    let on_disk = verifier.verify(id);
    if let Err(error) = on_disk {
        return report.add(failure(id, error, "on the disk"));
    }
    let page = match read_page(id) {
        Ok(page) => page,
        // Cut off meanwhile.
        Err(BufferError::NoSuchPage { .. }) => return,
        Err(error) => return report.add(failure(id, error, "in memory")),
    };
    let ends = pg_wal_port::insert_position();
    if header::lsn(&page) > ends.0 {
        let lsn = pg_wal_port::Lsn(header::lsn(&page));
        let what = format!("the page was changed at {lsn}, the log ends at {ends}");
        report.add(Finding::damage(Place::Page(id), What::LogTooShort, what));
    }
    if id.file == FileId::SPACE_MAP {
        return;
    }
    let own = Kind::of(header::kind(&page));
    if own == Kind::Empty {
        return;
    }
    let version = header::version(&page);
    if !(1..=LAYOUT_VERSION).contains(&version) || !header::is_sane(&page) {
        report.add(Finding::damage(Place::Page(id), What::Header, ""));
    }
    if *kind == Kind::Empty {
        *kind = own;
    } else if *kind != own {
        let what = format!("{own:?} among {kind:?}");
        report.add(Finding::damage(Place::Page(id), What::Kind, what));
    }
}

fn failure(id: PageId, error: BufferError, of: &str) -> Finding {
    let place = Place::Page(id);
    match error {
        BufferError::Corrupt { .. } => Finding::damage(place, What::Checksum, of),
        error => Finding::damage(place, What::Unreadable, error),
    }
}
