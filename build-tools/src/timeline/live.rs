//! The picture in the terminal: two rows of bars and a row of marks, 100 ms a
//! column, the newest at the right.

use super::{Bin, Deed, Timeline};

const BARS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of the names at the left and the figures at the right.
const MARGIN: usize = 34;

/// The last columns of a timeline as lines for a terminal so wide. Latencies are
/// drawn by their logarithm, from 0.1 ms to 10 s.
pub(crate) fn picture(timeline: &Timeline, width: usize) -> Vec<String> {
    let columns = width.saturating_sub(MARGIN).max(10);
    let first = timeline.bins.len().saturating_sub(columns);
    let shown = &timeline.bins[first..];
    let most = shown.iter().map(|b| b.count).max().unwrap_or(0).max(1);
    let last = shown.last().copied().unwrap_or_default();
    let longest = shown.iter().map(|b| b.longest).max().unwrap_or(0);
    let row = |name: &str, level: &dyn Fn(&Bin) -> f64, figures: String| {
        let bars: String = shown.iter().map(|bin| bar(level(bin))).collect();
        format!("{name:>10} {bars:<columns$} {figures}")
    };
    let mut lines = vec![
        row(
            "tx/s",
            &|bin| bin.count as f64 / most as f64,
            format!("{} now, {} most", last.count * 10, most * 10),
        ),
        row(
            "latency",
            &|bin| logarithmic(bin.longest),
            format!("{} now, {} most", time(last.longest), time(longest)),
        ),
    ];
    let mut marks = vec![' '; shown.len()];
    let mut latest = None;
    for event in &timeline.events {
        let bin = ((event.at - timeline.from) / super::BIN) as usize;
        if let Some(mark) = bin.checked_sub(first).and_then(|at| marks.get_mut(at)) {
            *mark = match event.deed {
                Deed::Swap => '^',
                Deed::Crash => '!',
            };
            latest = Some(event);
        }
    }
    let marks: String = marks.into_iter().collect();
    let said = latest.map_or(String::new(), |event| match event.deed {
        Deed::Swap => format!("^ {}", event.cell),
        Deed::Crash => format!("! {}", event.cell),
    });
    lines.push(format!("{:>10} {marks:<columns$} {said}", ""));
    lines
}

fn bar(level: f64) -> char {
    let steps = (BARS.len() - 1) as f64;
    // Whatever is there shows.
    let at = (level.clamp(0.0, 1.0) * steps).ceil() as usize;
    BARS[at.min(BARS.len() - 1)]
}

fn logarithmic(us: u64) -> f64 {
    match us {
        0 => 0.0,
        us => ((us as f64 / 100.0).log10() / 5.0).max(0.01),
    }
}

fn time(us: u64) -> String {
    match us {
        0..10_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{} ms", us / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn what_happened_shows_in_its_column() {
        let lines = picture(&sample(), MARGIN + 10);
        assert_eq!(lines[0], "      tx/s █ ▄        10 now, 20 most");
        assert_eq!(lines[1], "   latency ▂ ▄        30 ms now, 30 ms most");
        assert_eq!(lines[2], "           ^ !        ! pg_<wal>");
    }

    #[test]
    fn only_the_newest_columns_are_shown() {
        let mut timeline = sample();
        timeline.bins.extend(vec![Bin::default(); 9]);
        let lines = picture(&timeline, 0);
        assert_eq!(
            lines[0].chars().skip(11).take(10).collect::<String>(),
            "█         "
        );
        assert!(lines[2].ends_with("! pg_<wal>"), "the swap is out of sight");
        assert!(!lines[2].contains('^'));
    }
}
