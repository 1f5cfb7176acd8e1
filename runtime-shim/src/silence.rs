//! Waiting for the output of what a step has left running, as Metaflow does, but not for ever.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::signals::{Stop, Urgency};

/// Streams of a task.
const STREAMS: usize = 2;

/// Whoever watches is told of waits that are longer.
const UNTOLD: Duration = Duration::from_secs(2);

/// Hears of the streams of a task that nobody can write to any more.
pub(crate) struct Silence {
    ended: watch::Sender<usize>,
}

impl Default for Silence {
    fn default() -> Self {
        let (ended, _) = watch::channel(0);
        Self { ended }
    }
}

impl Silence {
    /// Runs what reads a stream to its end.
    pub(crate) async fn after(&self, pump: impl Future<Output = ()>) {
        pump.await;
        self.ended.send_modify(|ended| *ended += 1);
    }

    /// Whether all streams have ended.
    pub(crate) fn is_here(&self) -> bool {
        *self.ended.borrow() == STREAMS
    }

    /// Waits until all streams have ended, `limit` is over, or a stop is requested; a line for the log if it was in vain.
    pub(crate) async fn wait(
        &self,
        limit: Duration,
        stop: &Stop,
        say: &(dyn Fn(&str) + Send + Sync),
    ) -> Option<String> {
        let mut ended = self.ended.subscribe();
        let mut stop = stop.clone();
        let began = Instant::now();
        let over = began + limit;
        let seconds = limit.as_secs();
        let mut untold = Some(began + UNTOLD).filter(|untold| *untold < over);
        loop {
            tokio::select! {
                // An error is impossible: the sender is ours.
                _ = ended.wait_for(|ended| *ended == STREAMS) => return None,
                _ = stop.requested(Urgency::Soon) => return None,
                () = sleep_until(untold.unwrap_or(over)) => {}
            }
            if untold.take().is_none() {
                break;
            }
            say(&format!(
                "[flowc: the step is over, and what it left running still has its output; it is waited for, up to {seconds} s]"
            ));
        }
        let text = format!(
            "[flowc: what the step left running still had its output after {seconds} s, and was ended]"
        );
        say(&text);
        Some(text)
    }
}
