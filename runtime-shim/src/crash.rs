//! Numbered points at which test builds can kill the process, as a machine that goes away would.
//!
//! Without the feature `crash-points` a point is nothing. With it, `FLOWC_CRASH_AT=N` kills the process at point N,
//! and `FLOWC_CRASH_COUNT=FILE` keeps the number of points passed in a file.

/// A point before or after something that leaves a trace outside this process.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub(crate) fn point() {}

/// A point before or after something that leaves a trace outside this process.
#[cfg(feature = "crash-points")]
pub(crate) fn point() {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    static AT: OnceLock<Option<u64>> = OnceLock::new();
    static COUNT: OnceLock<Option<std::ffi::OsString>> = OnceLock::new();

    let number = PASSED.fetch_add(1, Ordering::SeqCst) + 1;
    if let Some(file) = COUNT.get_or_init(|| std::env::var_os("FLOWC_CRASH_COUNT")) {
        let _ = std::fs::write(file, number.to_string());
    }
    let at = AT.get_or_init(|| std::env::var("FLOWC_CRASH_AT").ok()?.parse().ok());
    if *at == Some(number) {
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        // The signal is delivered before the call returns to user space, or very soon after.
        std::thread::sleep(std::time::Duration::from_mins(1));
    }
}
