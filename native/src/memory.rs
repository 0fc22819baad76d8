//! How much memory this process held at most, and how much the machine has.

/// VmHWM of this process in MiB, where /proc tells it.
pub(crate) fn high_water_mark() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib / 1024.0)
}

/// Forgets earlier peaks, so that each of several runs in one process has its own; where the system
/// has no such switch, the mark stays what it is.
pub(crate) fn forget_peak() {
    // 5 resets VmHWM (man 5 proc).
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Bytes of this machine's memory, all and what is free for new programs, where /proc tells them.
pub(crate) fn of_the_machine() -> Option<[u64; 2]> {
    let table = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = |name: &str| {
        let line = table.lines().find_map(|line| line.strip_prefix(name))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    };
    Some([line("MemTotal:")?, line("MemAvailable:")?])
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn the_high_water_mark_is_read_and_forgotten() {
        let block = std::hint::black_box(vec![1u8; 300 << 20]);
        let high = super::high_water_mark().unwrap();
        assert!(high > 300.0, "{high} MiB");
        drop(block);
        super::forget_peak();
        assert!(super::high_water_mark().unwrap() < high - 200.0);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_has_memory() {
        let [all, free] = super::of_the_machine().unwrap();
        assert!(all > 1 << 28 && free > 0 && free < all, "{free} of {all}");
    }
}
