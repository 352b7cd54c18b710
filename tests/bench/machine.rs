//! Conditions of the figures: cores, other load, the disk; and the resources that this process uses.

use std::fs::{self, File};
use std::io::Write;
use std::time::{Duration, Instant};

use crate::table::{milliseconds, percentile};

/// Prints the machine's facts.
pub(crate) fn describe() {
    let cores = std::thread::available_parallelism().unwrap();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?");
    let mut times = flushes();
    let (middle, high) = (percentile(&mut times, 50), percentile(&mut times, 99));
    println!("{cores} cores, load of the last minute {load}, files in {}", std::env::temp_dir().display());
    println!("append of 512 bytes and fdatasync: p50 {}, p99 {}", milliseconds(middle), milliseconds(high));
}

/// Measures an append of 512 bytes with fdatasync and returns the median.
pub(crate) fn flush() -> Duration {
    percentile(&mut flushes(), 50)
}

fn flushes() -> Vec<Duration> {
    let folder = tempfile::tempdir().unwrap();
    let mut file = File::create(folder.path().join("sync")).unwrap();
    let flush = |_| {
        let begun = Instant::now();
        file.write_all(&[7; 512]).unwrap();
        file.sync_data().unwrap();
        begun.elapsed()
    };
    (0..500).map(flush).collect()
}

/// Returns the memory that this process holds, in MiB.
pub(crate) fn resident_mib() -> u64 {
    memory("VmRSS:")
}

/// Returns the peak of this process's memory since [`forget_the_peak`], in MiB.
pub(crate) fn peak_mib() -> u64 {
    memory("VmHWM:")
}

/// Resets the measured peak of the memory.
pub(crate) fn forget_the_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Returns the memory that another process holds, in MiB.
pub(crate) fn resident_mib_of(process: u32) -> u64 {
    memory_of(&process.to_string(), "VmRSS:")
}

/// Returns the peak of another process's memory, in MiB.
pub(crate) fn peak_mib_of(process: u32) -> u64 {
    memory_of(&process.to_string(), "VmHWM:")
}

fn memory(name: &str) -> u64 {
    memory_of("self", name)
}

fn memory_of(process: &str, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap().div_euclid(1024)
}

/// Returns the processor time of this process so far, all threads together.
pub(crate) fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // The fields after the program's name, which is in brackets; the times are the 14th and 15th of all.
    let (_, fields) = stat.rsplit_once(") ").unwrap();
    let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    // Linux counts hundredths of a second here, whatever its internal tick.
    Duration::from_millis(ticks * 10)
}
