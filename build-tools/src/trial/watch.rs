//! What is done to the system and when, for the chart; and with `--watch` the
//! picture in the terminal, drawn anew four times a second from the logs that
//! pgbench writes.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use super::latency::done;
use super::load::{LOG, Load};
use crate::timeline::{BIN, Deed, Done, Event, Timeline, picture, svg};

const REDRAW: Duration = Duration::from_millis(250);
/// pgbench writes its logs by blocks: what is older than this is complete.
const BEHIND: u64 = 500_000;
/// What is drawn at most, in microseconds: wider than terminals are.
const SHOWN: u64 = 400 * BIN;
const USUAL_WIDTH: usize = 100;

/// Notes what is done; draws while it lives, if it was wished for.
pub(super) struct Watch {
    state: Arc<State>,
    drawing: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    ended: AtomicBool,
    events: Mutex<Vec<Event>>,
    /// Of the load that runs now.
    folder: Mutex<Option<PathBuf>>,
}

impl Watch {
    /// Draws if `wished` and standard output is a terminal.
    pub(super) fn new(wished: bool) -> Self {
        let state = Arc::new(State::default());
        let draws = wished && std::io::stdout().is_terminal();
        let drawing = draws.then(|| {
            let state = state.clone();
            std::thread::spawn(move || draw(&state))
        });
        Self { state, drawing }
    }

    /// From now on this load's logs are drawn.
    pub(super) fn follow(&self, load: &Load) {
        *lock(&self.state.folder) = Some(load.folder().to_path_buf());
    }

    /// Something is done to a cell now.
    pub(super) fn note(&self, deed: Deed, cell: &str) {
        lock(&self.state.events).push(Event {
            at: now(),
            deed,
            cell: cell.to_string(),
        });
    }

    /// Prints a line, if nothing is drawn.
    pub(super) fn say(&self, line: &str) {
        if self.drawing.is_none() {
            println!("{line}");
        }
    }

    /// Writes the chart of these transactions and of all that was noted.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn chart(&self, file: &Path, title: &str, done: &[Done]) -> Result<()> {
        let timeline = Timeline::of(done, &lock(&self.state.events));
        let title = format!("{title}, {} of them", timeline.events.len());
        std::fs::write(file, svg(&timeline, &title))
            .with_context(|| format!("cannot write {}", file.display()))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        if let Some(drawing) = self.drawing.take() {
            // A picture that failed is no reason to fail.
            let _ = drawing.join();
        }
    }
}

/// The values are whole at every moment, whoever panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Microseconds since 1970, as in pgbench's logs.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_micros() as u64)
}

fn draw(state: &State) {
    let mut logs = Logs::default();
    let mut lines = 0;
    while !state.ended.load(Ordering::Relaxed) {
        std::thread::sleep(REDRAW);
        let folder = lock(&state.folder).clone();
        // A folder that is gone was of a load that has ended.
        let _ = folder.map(|folder| logs.read(&folder));
        // Bins have fixed edges, so that the picture moves by whole columns.
        let to = (now() - BEHIND) / BIN * BIN;
        logs.done.retain(|done| done.at + SHOWN > to);
        let events = lock(&state.events).clone();
        let timeline = Timeline::between(to - SHOWN, to, &logs.done, &events);
        let columns = std::env::var("COLUMNS").ok();
        let width = columns.and_then(|c| c.parse().ok()).unwrap_or(USUAL_WIDTH);
        let picture = picture(&timeline, width);
        let mut text = match lines {
            0 => String::new(),
            lines => format!("\x1b[{lines}A"),
        };
        for line in &picture {
            text += &format!("\x1b[2K{line}\n");
        }
        lines = picture.len();
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Logs that grow, and what they say.
#[derive(Default)]
struct Logs {
    /// Up to where each was read: the beginning of a line.
    read: BTreeMap<PathBuf, u64>,
    done: Vec<Done>,
}

impl Logs {
    fn read(&mut self, folder: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned());
            if name.is_some_and(|name| name.contains(LOG)) {
                self.read_log(path)?;
            }
        }
        Ok(())
    }

    fn read_log(&mut self, path: PathBuf) -> std::io::Result<()> {
        let mut file = std::fs::File::open(&path)?;
        let from = self.read.entry(path).or_default();
        file.seek(SeekFrom::Start(*from))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        self.done.extend(text[..whole].lines().filter_map(done));
        *from += whole as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_read_as_they_grow() {
        let folder = std::env::temp_dir().join(format!("mitos-watch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let log = folder.join(format!("simple-8{LOG}.77"));
        let mut logs = Logs::default();
        let mut read = |text: &str| {
            std::fs::write(&log, text).unwrap();
            logs.read(&folder).unwrap();
            logs.done.len()
        };
        assert_eq!(read("0 1 50 0 10 5\n0 2 60 0 1"), 1, "half a line waits");
        assert_eq!(read("0 1 50 0 10 5\n0 2 60 0 11 7\n"), 2);
        assert_eq!(
            logs.done[1],
            Done {
                at: 11_000_007,
                took: 60
            }
        );
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_is_noted_is_kept_in_order() {
        let watch = Watch::new(false);
        watch.note(Deed::Swap, "net");
        watch.note(Deed::Crash, "pg_wal");
        let events = lock(&watch.state.events).clone();
        let cells: Vec<String> = events.into_iter().map(|e| e.cell).collect();
        assert_eq!(cells, ["net", "pg_wal"]);
    }
}
