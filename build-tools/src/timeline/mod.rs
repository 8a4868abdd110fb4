//! Throughput and latency per 100 ms, and what was done to the system meanwhile:
//! as a chart (`svg`) and in the terminal while it runs (`live`).
//!
//! Moments are microseconds of the host's clock, in whatever epoch the caller
//! has; only differences matter.

mod live;
mod svg;

pub(crate) use live::picture;
pub(crate) use svg::svg;

/// Microseconds of a bin.
pub(crate) const BIN: u64 = 100_000;

/// A transaction that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Done {
    /// When it ended.
    pub(crate) at: u64,
    /// Microseconds that it took.
    pub(crate) took: u64,
}

/// What is done to a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    Swap,
    Crash,
}

/// Something that was done to the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: u64,
    pub(crate) deed: Deed,
    /// The cell, as the shell calls it.
    pub(crate) cell: String,
}

/// What happened in 100 ms. Latencies in microseconds; 0 where nothing ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bin {
    pub(crate) count: u64,
    pub(crate) median: u64,
    pub(crate) longest: u64,
}

/// A stretch of time in bins, and the events in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    /// Where the first bin begins.
    pub(crate) from: u64,
    pub(crate) bins: Vec<Bin>,
    pub(crate) events: Vec<Event>,
}

impl Timeline {
    /// From the first transaction's end to the last one's.
    pub(crate) fn of(done: &[Done], events: &[Event]) -> Self {
        let ends = done.iter().map(|d| d.at);
        match (ends.clone().min(), ends.max()) {
            (Some(from), Some(to)) => Self::between(from, to + 1, done, events),
            _ => Self::default(),
        }
    }

    /// `from` to `to`; the last bin may be a part of one.
    pub(crate) fn between(from: u64, to: u64, done: &[Done], events: &[Event]) -> Self {
        let count = to.saturating_sub(from).div_ceil(BIN) as usize;
        let mut times: Vec<Vec<u64>> = vec![Vec::new(); count];
        for done in done.iter().filter(|d| (from..to).contains(&d.at)) {
            times[((done.at - from) / BIN) as usize].push(done.took);
        }
        let bin = |times: &mut Vec<u64>| {
            times.sort_unstable();
            Bin {
                count: times.len() as u64,
                median: times.get(times.len() / 2).copied().unwrap_or(0),
                longest: times.last().copied().unwrap_or(0),
            }
        };
        let within = |event: &&Event| (from..to).contains(&event.at);
        Self {
            from,
            bins: times.iter_mut().map(bin).collect(),
            events: events.iter().filter(within).cloned().collect(),
        }
    }

    /// The longest time without a transaction's end, in microseconds. The ends
    /// are those that the timeline was made of.
    pub(crate) fn longest_silence(done: &[Done]) -> u64 {
        let mut ends: Vec<u64> = done.iter().map(|d| d.at).collect();
        ends.sort_unstable();
        ends.windows(2)
            .map(|two| two[1] - two[0])
            .max()
            .unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn sample() -> Timeline {
        let done = |at, took| Done { at, took };
        let ends = [done(1_000, 900), done(99_000, 400), done(250_000, 30_000)];
        let event = |at, deed, cell: &str| Event {
            at,
            deed,
            cell: cell.into(),
        };
        let events = [
            event(20_000, Deed::Swap, "net"),
            event(200_000, Deed::Crash, "pg_<wal>"),
            event(900_000, Deed::Swap, "late"),
        ];
        Timeline::between(0, 260_000, &ends, &events)
    }

    #[test]
    fn ends_fall_into_bins() {
        let bin = |count, median, longest| Bin {
            count,
            median,
            longest,
        };
        let timeline = sample();
        assert_eq!(
            timeline.bins,
            [bin(2, 900, 900), Bin::default(), bin(1, 30_000, 30_000)]
        );
        assert_eq!(timeline.events.len(), 2, "one is beyond the end");
    }

    #[test]
    fn silence_is_between_ends() {
        let done = |at| Done { at, took: 1 };
        assert_eq!(
            Timeline::longest_silence(&[done(5), done(100), done(30)]),
            70
        );
        assert_eq!(Timeline::longest_silence(&[done(5)]), 0);
        assert_eq!(Timeline::of(&[], &[]).bins, []);
        assert_eq!(Timeline::of(&[done(5)], &[]).bins.len(), 1);
    }
}
