//! What the kernel says of this process.

use std::time::Duration;

/// Memory in use, in bytes (resident set), as `/proc/self/statm` tells; 0 where there is none.
pub(crate) fn resident_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
    pages.unwrap_or(0).saturating_mul(page)
}

/// CPU time used so far, as `/proc/self/stat` tells (fields 14 and 15, in clock ticks).
pub(crate) fn cpu_time() -> Duration {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return Duration::ZERO };
    // The second field is the program's name in parentheses and may hold anything.
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Duration::from_millis(ticks.saturating_mul(1_000) / per_second)
}

/// Open file descriptors.
pub(crate) fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// The share of one processor used since the last reading.
#[derive(Debug, Default)]
pub(crate) struct CpuMeter {
    at: Duration,
    used: Duration,
    percent: f64,
}

impl CpuMeter {
    /// The share since the last reading that was at least 100 ms ago, in percent of one processor.
    pub(crate) fn read(&mut self, now: Duration) -> f64 {
        let elapsed = now.saturating_sub(self.at);
        if elapsed >= Duration::from_millis(100) {
            let used = cpu_time();
            self.percent = used.saturating_sub(self.used).as_secs_f64() / elapsed.as_secs_f64() * 100.0;
            (self.at, self.used) = (now, used);
        }
        self.percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        assert!(resident_bytes() > 100_000);
        assert!(open_files() >= 3);
    }
}
