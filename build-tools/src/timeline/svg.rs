//! The chart: throughput, latency, and which cell was replaced when.

use std::fmt::Write;

use super::{BIN, Bin, Deed, Timeline};

const WIDTH: f64 = 1200.0;
/// Room for names at the left and nothing at the right.
const LEFT: f64 = 130.0;
const RIGHT: f64 = 20.0;
/// Where the panels begin, and how high they are.
const RATE: (f64, f64) = (50.0, 150.0);
const LATENCY: (f64, f64) = (230.0, 150.0);
const CELLS: f64 = 410.0;
/// Height of a cell's row.
const ROW: f64 = 14.0;
/// Microseconds at the bottom and the top of the latency panel, as powers of 10.
const DECADES: (u32, u32) = (2, 7);

const STYLE: &str = "text{font:12px sans-serif;fill:#333}.title{font-size:16px}\
    .axis{stroke:#ccc;stroke-width:1}.rate{fill:#4878a8}\
    .median{stroke:#4878a8;fill:none}.longest{fill:#c05020}\
    .swap{fill:#2a8a4a}.crash{fill:#c02020}.right{text-anchor:end}";

/// The chart as a file.
pub(crate) fn svg(timeline: &Timeline, title: &str) -> String {
    let mut cells: Vec<&str> = timeline.events.iter().map(|e| e.cell.as_str()).collect();
    cells.sort_unstable();
    cells.dedup();
    let bottom = CELLS + ROW * cells.len() as f64;
    let height = bottom + 40.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\">\n\
         <style>{STYLE}</style>\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"28\">{}</text>\n",
        escape(title)
    );
    let scale = Scale {
        step: (WIDTH - LEFT - RIGHT) / timeline.bins.len().max(1) as f64,
    };
    seconds(&mut text, timeline.bins.len(), &scale, bottom);
    rate(&mut text, &timeline.bins, &scale);
    latency(&mut text, &timeline.bins, &scale);
    events(&mut text, timeline, &cells, &scale);
    text + "</svg>\n"
}

/// Horizontal places.
struct Scale {
    /// Of one bin.
    step: f64,
}

impl Scale {
    /// The left edge of a bin, or a place between two.
    fn x(&self, bin: f64) -> f64 {
        LEFT + bin * self.step
    }
}

/// Adds a line to the text. Writing to a string does not fail.
macro_rules! add {
    ($text:expr, $($rest:tt)*) => {{
        let _ = writeln!($text, $($rest)*);
    }};
}

/// The time axis.
fn seconds(text: &mut String, bins: usize, scale: &Scale, bottom: f64) {
    let per_second = (1_000_000 / BIN) as usize;
    let whole = bins / per_second;
    // About a dozen marks, at round numbers.
    let every = [1, 2, 5, 10, 20, 30, 60, 120, 300]
        .into_iter()
        .find(|step| whole / step <= 15)
        .unwrap_or(600);
    for second in (0..=whole).step_by(every) {
        let (x, y) = (scale.x((second * per_second) as f64), bottom + 20.0);
        let top = RATE.0;
        add!(
            text,
            "<line class=\"axis\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>"
        );
        add!(text, "<text x=\"{x:.1}\" y=\"{y}\">{second} s</text>");
    }
}

/// A horizontal line with what it stands for.
fn level(text: &mut String, y: f64, name: &str) {
    let (end, at) = (WIDTH - RIGHT, LEFT - 6.0);
    add!(
        text,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
    );
    let y = y + 4.0;
    add!(
        text,
        "<text class=\"right\" x=\"{at}\" y=\"{y:.1}\">{name}</text>"
    );
}

/// Bars: transactions a second, per bin.
fn rate(text: &mut String, bins: &[Bin], scale: &Scale) {
    let per_second = 1_000_000 / BIN;
    let most = bins.iter().map(|b| b.count * per_second).max().unwrap_or(0);
    let top = round_up(most.max(1));
    let (base, height) = (RATE.0 + RATE.1, RATE.1);
    level(text, base, "0");
    level(text, base - height / 2.0, &(top as f64 / 2.0).to_string());
    level(text, RATE.0, &format!("{top} tx/s"));
    for (at, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
        let high = (bin.count * per_second) as f64 / top as f64 * height;
        let (x, y, width) = (scale.x(at as f64), base - high, scale.step.max(0.3));
        add!(
            text,
            "<rect class=\"rate\" x=\"{x:.2}\" y=\"{y:.1}\" width=\"{width:.2}\" height=\"{high:.1}\"/>"
        );
    }
}

/// The median as a line, the longest as points, on a logarithmic scale.
fn latency(text: &mut String, bins: &[Bin], scale: &Scale) {
    for decade in DECADES.0..=DECADES.1 {
        let us = 10_u64.pow(decade);
        let name = match us {
            0..1_000 => format!("{} ms", us as f64 / 1e3),
            1_000..1_000_000 => format!("{} ms", us / 1_000),
            _ => format!("{} s", us / 1_000_000),
        };
        level(text, height_of(us), &name);
    }
    let full = |(_, bin): &(usize, &Bin)| bin.count > 0;
    let places: Vec<String> = bins
        .iter()
        .enumerate()
        .filter(full)
        .map(|(at, bin)| {
            format!(
                "{:.1},{:.1}",
                scale.x(at as f64 + 0.5),
                height_of(bin.median)
            )
        })
        .collect();
    add!(
        text,
        "<polyline class=\"median\" points=\"{}\"/>",
        places.join(" ")
    );
    for (at, bin) in bins.iter().enumerate().filter(full) {
        let (x, y) = (scale.x(at as f64 + 0.5), height_of(bin.longest));
        add!(
            text,
            "<circle class=\"longest\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"1.3\"/>"
        );
    }
    let y = LATENCY.0 - 6.0;
    add!(
        text,
        "<text x=\"{LEFT}\" y=\"{y}\">latency per 100 ms: median (line), longest (points)</text>"
    );
}

/// A row of marks for each cell.
fn events(text: &mut String, timeline: &Timeline, cells: &[&str], scale: &Scale) {
    for (row, cell) in cells.iter().enumerate() {
        level(text, CELLS + ROW * row as f64, &escape(cell));
    }
    for event in &timeline.events {
        let Ok(row) = cells.binary_search(&event.cell.as_str()) else {
            continue;
        };
        let x = scale.x((event.at - timeline.from) as f64 / BIN as f64);
        let y = CELLS + ROW * row as f64;
        let class = match event.deed {
            Deed::Swap => "swap",
            Deed::Crash => "crash",
        };
        let second = (event.at - timeline.from) as f64 / 1e6;
        let cell = escape(&event.cell);
        add!(
            text,
            "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{class} of {cell} at {second:.2} s</title></circle>"
        );
    }
}

fn height_of(us: u64) -> f64 {
    let (low, high) = (f64::from(DECADES.0), f64::from(DECADES.1));
    let power = (us.max(1) as f64).log10().clamp(low, high);
    LATENCY.0 + LATENCY.1 * (high - power) / (high - low)
}

/// The next number with one digit other than 0.
fn round_up(number: u64) -> u64 {
    let unit = 10_u64.pow(number.ilog10());
    number.div_ceil(unit) * unit
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;

    #[test]
    fn everything_is_drawn_once() {
        let chart = svg(&sample(), "a < b");
        let count = |what: &str| chart.matches(what).count();
        assert_eq!(count("<rect class=\"rate\""), 2, "the empty bin has no bar");
        assert_eq!(count("<circle class=\"longest\""), 2);
        assert_eq!(count("<circle class=\"swap\""), 1);
        assert_eq!(count("<circle class=\"crash\""), 1);
        assert!(chart.contains("a &lt; b") && chart.contains("pg_&lt;wal&gt;"));
        assert_eq!(count("<svg"), count("</svg>"));
        let numbers = chart.contains("NaN") || chart.contains("inf");
        assert!(!numbers, "every number is one");
    }

    #[test]
    fn nothing_is_a_chart_too() {
        assert!(!svg(&Timeline::default(), "").contains("NaN"));
    }

    #[test]
    fn scales_end_at_round_numbers() {
        assert_eq!([1, 9, 11, 250, 999].map(round_up), [1, 9, 20, 300, 1000]);
        assert_eq!(height_of(10_000_000), LATENCY.0);
        assert_eq!(height_of(100), LATENCY.0 + LATENCY.1);
    }
}
