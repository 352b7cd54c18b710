//! Figures in columns, and what is made of times.

use std::time::Duration;

/// A title, a head and rows, as wide as they need to be.
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
    // Names stand at the left, figures at the right.
    let aligned = cells.zip(widths).enumerate().map(|(column, (cell, &width))| {
        if column == 0 { format!("  {cell:<width$}") } else { format!("  {cell:>width$}") }
    });
    println!("{}", aligned.collect::<String>().trim_end());
}

/// A count as a number to calculate with.
pub(crate) fn number(count: u64) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// So many each second.
pub(crate) fn rate(count: u64, time: Duration) -> f64 {
    number(count) / time.as_secs_f64()
}

/// The value in the middle, with the lowest and the highest: the noise.
pub(crate) fn spread(mut values: Vec<f64>) -> (f64, String) {
    values.sort_by(f64::total_cmp);
    let middle = values.get(values.len().div_euclid(2)).copied().unwrap_or_default();
    let (low, high) = (values.first().copied().unwrap_or_default(), values.last().copied().unwrap_or_default());
    (middle, format!("{low:.0}–{high:.0}"))
}

/// A time in milliseconds.
pub(crate) fn milliseconds(time: Duration) -> String {
    format!("{:.3} ms", time.as_secs_f64() * 1000.0)
}

/// The time that so many of a hundred do not exceed.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let place = times.len().saturating_mul(percent).div_ceil(100).saturating_sub(1);
    times.get(place).copied().unwrap_or_default()
}
