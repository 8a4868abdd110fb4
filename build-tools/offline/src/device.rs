//! A disk that is never written to: [`Layer`] keeps the writes in memory, over
//! whatever lies below. [`Device`] puts it behind the port of the disk driver.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nvme_port::{BAD_REQUEST, BlockDevice, DISK, Geometry, IO_ERROR, OK, Op, Request, Urgency};
use port::{Birth, BirthError, Cell, Component, CrashKind, Options};
use sim_disk::{copy_from, copy_to};

/// Bytes of a piece of the layer.
pub const PIECE: usize = 4096;

/// Something that disks' bytes can be read from.
pub trait Below: Send + Sync {
    /// Bytes of the disk.
    fn len(&self) -> u64;
    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Reads at an offset.
    ///
    /// # Errors
    /// When that fails.
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// A file, opened for reading alone.
pub struct DiskFile(pub File);

impl Below for DiskFile {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |meta| meta.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }
}

/// Bytes in memory.
impl Below for Vec<u8> {
    fn len(&self) -> u64 {
        Vec::len(self) as u64
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.get(start..start.saturating_add(out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// What was written over a disk.
#[derive(Clone)]
pub struct Layer {
    below: Arc<dyn Below>,
    pieces: HashMap<u64, Box<[u8; PIECE]>>,
}

impl Layer {
    /// Nothing, over `below`.
    #[must_use]
    pub fn over(below: Arc<dyn Below>) -> Self {
        Layer {
            below,
            pieces: HashMap::new(),
        }
    }

    /// Writes at an offset.
    ///
    /// # Errors
    /// When what lies below a partly written piece cannot be read.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut at = 0;
        while at < bytes.len() {
            let place = offset + at as u64;
            let (number, within) = (place / PIECE as u64, (place % PIECE as u64) as usize);
            let len = (PIECE - within).min(bytes.len() - at);
            let piece = match self.pieces.entry(number) {
                std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::hash_map::Entry::Vacant(entry) => {
                    let mut piece = Box::new([0; PIECE]);
                    if len < PIECE {
                        let start = number * PIECE as u64;
                        let there = self.below.len().saturating_sub(start).min(PIECE as u64);
                        self.below.read(start, &mut piece[..there as usize])?;
                    }
                    entry.insert(piece)
                }
            };
            piece[within..within + len].copy_from_slice(&bytes[at..at + len]);
            at += len;
        }
        Ok(())
    }
}

impl Layer {
    /// Writes the whole disk to a file, holes for zeros.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn write_to(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(self.len())?;
        let mut piece = [0; PIECE];
        for at in (0..self.len()).step_by(PIECE) {
            let len = (self.len() - at).min(PIECE as u64) as usize;
            self.read(at, &mut piece[..len])?;
            if piece[..len].iter().any(|byte| *byte != 0) {
                file.write_all_at(&piece[..len], at)?;
            }
        }
        Ok(())
    }
}

impl Below for Layer {
    fn len(&self) -> u64 {
        self.below.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut at = 0;
        while at < out.len() {
            let place = offset + at as u64;
            let (number, within) = (place / PIECE as u64, (place % PIECE as u64) as usize);
            let len = (PIECE - within).min(out.len() - at);
            match self.pieces.get(&number) {
                Some(piece) => out[at..at + len].copy_from_slice(&piece[within..within + len]),
                None => self.below.read(place, &mut out[at..at + len])?,
            }
            at += len;
        }
        Ok(())
    }
}

/// A disk for the cells: reads through a layer, writes into it.
#[derive(Clone)]
pub struct Device(Arc<Mutex<Layer>>);

static NEXT: Mutex<Option<Device>> = Mutex::new(None);

/// The device as a cell, in the driver's place.
static CELL: Cell = Cell {
    name: "nvme",
    version: env!("CARGO_PKG_VERSION"),
    provides: &[&nvme_port::DOOR],
    birth,
};

fn birth(birth: &mut Birth<'_>) -> Result<(), BirthError> {
    let next = NEXT.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let device = next.ok_or_else(|| BirthError::Missing("no disk to install".into()))?;
    birth.provide(&DISK, Box::new(device));
    Ok(())
}

impl Device {
    /// A disk whose writes go to `layer`.
    #[must_use]
    pub fn new(layer: Layer) -> Self {
        Device(Arc::new(Mutex::new(layer)))
    }

    /// Puts it behind the port, in the place of any other.
    ///
    /// # Errors
    /// When the port refuses it.
    pub fn install(&self) -> Result<(), BirthError> {
        *NEXT.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
        port::start(&CELL, &Options::default())
    }

    /// Changes bytes behind the cells' back.
    ///
    /// # Errors
    /// As [`Layer::write`].
    pub fn damage(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.lock().write(offset, bytes)
    }

    /// What the disk holds now.
    #[must_use]
    pub fn layer(&self) -> Layer {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Layer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(&self, request: &Request) -> u16 {
        let mut layer = self.lock();
        let Some(data) = &request.data else {
            return if request.op == Op::Flush {
                OK
            } else {
                BAD_REQUEST
            };
        };
        let end = request.offset.saturating_add(data.len() as u64);
        if end > layer.len() {
            return BAD_REQUEST;
        }
        let done = match request.op {
            Op::Read => {
                let mut bytes = vec![0; data.len()];
                let read = layer.read(request.offset, &mut bytes);
                copy_to(&bytes, data);
                read
            }
            Op::Write | Op::WriteDurable => layer.write(request.offset, &copy_from(data)),
            Op::Flush => Ok(()),
        };
        done.map_or(IO_ERROR, |()| OK)
    }
}

impl Component for Device {
    fn crash(&self, kind: CrashKind) {
        port::crash_here(kind);
    }
}

impl BlockDevice for Device {
    fn geometry(&self) -> Geometry {
        Geometry {
            block_size: 512,
            capacity: self.lock().len() / 512 * 512,
            max_transfer: 1 << 20,
            volatile_cache: true,
        }
    }

    fn submit(&self, _urgency: Urgency, requests: Vec<Request>) {
        for request in requests {
            let outcome = self.perform(&request);
            let Request { data, done, .. } = request;
            drop(data);
            done.complete(outcome);
        }
    }

    fn poll(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_hides_what_was_written_over_and_leaves_it_alone() {
        let below: Arc<dyn Below> = Arc::new(vec![7u8; 3 * PIECE]);
        let mut layer = Layer::over(below.clone());
        layer.write(PIECE as u64 - 10, &[9; 20]).unwrap();
        let mut bytes = [0; 40];
        layer.read(PIECE as u64 - 20, &mut bytes).unwrap();
        assert_eq!(bytes[..10], [7; 10]);
        assert_eq!(bytes[10..30], [9; 20]);
        assert_eq!(bytes[30..], [7; 10]);
        below.read(PIECE as u64 - 20, &mut bytes).unwrap();
        assert_eq!(bytes, [7; 40]);
        assert!(layer.read(3 * PIECE as u64 - 5, &mut bytes).is_err());
    }
}
