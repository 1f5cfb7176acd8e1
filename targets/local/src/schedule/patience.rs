//! How long a run waits for what is not the flow's fault: a store that does not answer, a disk that is full.

use std::time::{Duration, Instant};

/// How long a task is tried again that cannot begin because of something else than user code. Told in `docs/runs.md`.
pub(super) const PATIENCE: Duration = Duration::from_mins(5);

/// First pause between two tries; each is twice as long as the one before.
const FIRST: Duration = Duration::from_secs(1);

/// Longest pause between two tries.
const LONGEST: Duration = Duration::from_mins(1);

/// Tries that came to nothing, one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trouble {
    since: Instant,
    pub(super) tries: u32,
    next: Duration,
}

impl Trouble {
    /// Counts one more try, which ended `now`.
    pub(super) fn after(before: Option<Self>, now: Instant) -> Self {
        match before {
            None => Self {
                since: now,
                tries: 1,
                next: FIRST,
            },
            Some(before) => Self {
                tries: before.tries + 1,
                next: (before.next * 2).min(LONGEST),
                ..before
            },
        }
    }

    /// The pause before the next try; `None` once that would come too late.
    pub(super) fn pause(&self, now: Instant) -> Option<Duration> {
        let so_far = now.saturating_duration_since(self.since);
        (so_far + self.next <= PATIENCE).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pauses, if each try takes this long.
    fn pauses(each: Duration) -> Vec<u64> {
        let mut now = Instant::now();
        let mut trouble = Trouble::after(None, now);
        let mut pauses = Vec::new();
        while let Some(pause) = trouble.pause(now) {
            pauses.push(pause.as_secs());
            now += pause + each;
            trouble = Trouble::after(Some(trouble), now);
        }
        assert_eq!(trouble.tries as usize, pauses.len() + 1);
        pauses
    }

    #[test]
    fn pauses_grow_and_end() {
        assert_eq!(pauses(Duration::ZERO), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        // A bucket's own patience is a minute for each try.
        assert_eq!(pauses(Duration::from_mins(1)), [1, 2, 4, 8, 16]);
        assert!(pauses(PATIENCE).len() == 1);
    }
}
