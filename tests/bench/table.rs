//! Figures in columns, and statistics of times.

use std::time::Duration;

/// Prints a title, a head and rows, as wide as necessary.
pub(crate) fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize, name: &str| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = head.iter().enumerate().map(|(column, name)| width(column, name)).collect();
    println!("\n{title}");
    line(&widths, head.iter().copied());
    for row in rows {
        line(&widths, row.iter().map(String::as_str));
    }
}

fn line<'cells>(widths: &[usize], cells: impl Iterator<Item = &'cells str>) {
    // Names are left-aligned, figures right-aligned.
    let aligned = cells.zip(widths).enumerate().map(|(column, (cell, &width))| {
        if column == 0 { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") }
    });
    println!("{}", aligned.collect::<String>().trim_end());
}

/// Converts a count for calculations.
pub(crate) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns the rate per second.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    number(count) / time.as_secs_f64()
}

/// Returns the median, with the lowest and the highest value as the noise.
pub(crate) fn spread(mut values: Vec<f64>) -> (f64, String) {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len().div_euclid(2)).copied().unwrap_or_default();
    let (low, high) = (values.first().copied().unwrap_or_default(), values.last().copied().unwrap_or_default());
    (middle, format!("{low:.0}–{high:.0}"))
}

/// Formats a time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

/// Returns the time that `percent` of a hundred values do not exceed.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let place = times.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}
