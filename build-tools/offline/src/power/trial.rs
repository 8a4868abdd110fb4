//! Cutting the power of a recording, image by image.

use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use mitos::paths::Paths;

use super::client::Client;
use super::image::{Fates, Replay};
use super::journal::Journal;
use super::random::Random;
use super::record::{self, Recording};
use super::verify::{Cut, verify};
use super::{log, tellers};
use crate::database::Database;
use crate::device::{Device, DiskFile, Layer};

/// How many images, and of which.
#[derive(Clone, Debug)]
pub struct Plan {
    /// At least so many, spread over the log.
    pub images: usize,
    /// What becomes of writes that are not durable.
    pub seed: u64,
    /// So many of them are booted too.
    pub boots: usize,
    /// Only this one, to look at it again.
    pub only: Option<usize>,
    /// As if the disk took forced writes for ordinary ones: commits must be found
    /// lost then, or this trial finds nothing.
    pub lying: bool,
}

/// What came of it.
#[derive(Debug, Default, serde::Serialize)]
pub struct Outcome {
    /// Images looked at.
    pub images: usize,
    /// Places of the log after which something new was durable.
    pub boundaries: usize,
    /// Of those, how many were cut at.
    pub boundaries_cut: usize,
    /// Entries of the log.
    pub entries: usize,
    /// Flushes among them.
    pub flushes: usize,
    /// Writes that were not durable at a cut: kept, lost, torn.
    pub kept: usize,
    /// Nothing of them was there.
    pub lost: usize,
    /// A part of them was there.
    pub torn: usize,
    /// Log records that recovery replayed, in all images.
    pub records: u64,
    /// Images that were booted.
    pub booted: usize,
    /// Commits that had to be there, in all images.
    pub commits: usize,
    /// What was wrong: image and words.
    pub wrong: Vec<(usize, Vec<String>)>,
}

/// Goes through a recording.
///
/// # Errors
/// When a file cannot be read, or a system does not boot.
pub fn run(recording: &Recording, plan: &Plan, paths: Option<&Paths>) -> Result<Outcome> {
    let journal = recording
        .journal()
        .context("no journal of this recording")?;
    let before = DiskFile(File::open(recording.before())?);
    let log = File::open(recording.log())?;
    let mut replay = Replay::over(Arc::new(before), log)?;
    let entries = replay.entries();
    let flushes = entries.iter().filter(|e| e.kind == log::Kind::Flush);
    let mut outcome = Outcome {
        entries: entries.len(),
        flushes: flushes.count(),
        ..Outcome::default()
    };
    replay.lying = plan.lying;
    let boundaries = replay.boundaries();
    outcome.boundaries = boundaries.len();
    if boundaries.is_empty() {
        bail!("nothing was made durable during the recording");
    }
    // Every boundary, as often as it takes; or some, evenly.
    let rounds = plan.images.div_ceil(boundaries.len()).max(1);
    let images = plan.images.max(1);
    let every = |place: usize| match rounds {
        1 => (place + 1) * images / boundaries.len() - place * images / boundaries.len(),
        rounds => rounds,
    };
    let mut number = 0;
    for (place, boundary) in boundaries.iter().enumerate() {
        replay.advance(*boundary)?;
        let times = every(place);
        outcome.boundaries_cut += usize::from(times > 0);
        for _ in 0..times {
            number += 1;
            if plan.only.is_some_and(|only| only != number) {
                continue;
            }
            let mut random = Random::new(plan.seed ^ (number as u64) << 20);
            let (layer, fates) = replay.cut(&mut random)?;
            let cut = Cut {
                done_to: replay.done_to(),
                reaches_to: replay.reaches_to(),
            };
            let step = (images / plan.boots.max(1)).max(1);
            let boots = plan.boots > 0 && number % step == 0;
            let paths = paths.filter(|_| boots);
            look(
                &mut outcome,
                number,
                &layer,
                fates,
                &journal,
                cut,
                (paths, recording),
            )?;
            progress(number, &outcome);
        }
    }
    Ok(outcome)
}

fn progress(number: usize, outcome: &Outcome) {
    use std::io::IsTerminal;
    if number.is_multiple_of(20) && std::io::stderr().is_terminal() {
        eprint!("\r{number} images, {} wrong", outcome.wrong.len());
        let _ = std::io::stderr().flush();
    }
}

/// Looks at one image; what is wrong is in the outcome.
fn look(
    outcome: &mut Outcome,
    number: usize,
    layer: &Layer,
    fates: Fates,
    journal: &Journal,
    cut: Cut,
    boots: (Option<&Paths>, &Recording),
) -> Result<()> {
    outcome.images += 1;
    outcome.kept += fates.kept;
    outcome.lost += fates.lost;
    outcome.torn += fates.torn;
    let clients = journal.tellers.values().chain(journal.builders.values());
    let commits = clients.flat_map(|client| &client.commits);
    let acknowledged = commits.filter_map(|commit| commit.acknowledged);
    outcome.commits += acknowledged.filter(|at| *at <= cut.done_to).count();
    let device = Device::new(layer.clone());
    // In the first boot the disk may be blank still.
    let is_new = cut.done_to < journal.ready;
    let database = match is_new {
        true => Database::create(device, record::OPTIONS[0]),
        false => Database::open(device),
    };
    let mut wrong = Vec::new();
    if let Some(opened) = &database.opened {
        outcome.records += opened.records;
    }
    if database.is_open && !is_new {
        wrong.extend(verify(journal, cut));
    }
    let report = database.check();
    wrong.extend(report.damage().map(|finding| {
        let (name, detail) = (&finding.name, &finding.detail);
        format!("check: {}: {} {name} {detail}", finding.place, finding.what)
    }));
    if let (Some(paths), recording) = boots
        && !is_new
    {
        outcome.booted += 1;
        wrong.extend(boot(paths, recording, layer)?);
    }
    if !wrong.is_empty() {
        eprintln!(
            "\nimage {number}, power lost at {} of the log:",
            cut.done_to
        );
        wrong
            .iter()
            .take(10)
            .for_each(|words| eprintln!("  {words}"));
        outcome.wrong.push((number, wrong));
    }
    Ok(())
}

/// Boots an image and asks for the sums.
fn boot(paths: &Paths, recording: &Recording, layer: &Layer) -> Result<Vec<String>> {
    let disk = recording.log().with_extension("img");
    layer.write_to(&disk)?;
    let mut wrong = Vec::new();
    let (vm, port) = record::boot(paths, &disk)?;
    let mut client = Client::connect(port)?;
    let sums = client.query(
        "select (select sum(abalance) from pgbench_accounts), \
         (select sum(tbalance) from pgbench_tellers), \
         (select sum(bbalance) from pgbench_branches), \
         (select coalesce(sum(delta), 0) from pgbench_history), \
         (select count(*) from pgbench_accounts)",
    )?;
    let row = sums.into_iter().next().unwrap_or_default();
    let accounts = Some(tellers::ACCOUNTS.to_string());
    if row.len() != 5 || row[1..4].iter().any(|sum| *sum != row[0]) || row[4] != accounts {
        wrong.push(format!("booted: sums {row:?}"));
    }
    drop(vm);
    std::fs::remove_file(&disk)?;
    Ok(wrong)
}
