//! Being told to stop.

use tokio::sync::watch;

/// How urgently to stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Not at all.
    #[default]
    None,
    /// Ask user code to end, and kill it if it has not after ten seconds.
    Soon,
    /// Kill it.
    Now,
}

/// Hears of a request to stop; cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop {
    receiver: watch::Receiver<Urgency>,
}

/// Makes the request.
#[derive(Debug)]
pub struct Stopper {
    sender: watch::Sender<Urgency>,
}

/// A pair of the two.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(Urgency::None);
    (Stopper { sender }, Stop { receiver })
}

impl Stopper {
    /// Asks to stop; a later request can only be more urgent.
    pub fn request(&self, urgency: Urgency) {
        self.sender.send_if_modified(|now| {
            let raised = urgency > *now;
            *now = urgency.max(*now);
            raised
        });
    }
}

impl Stop {
    /// One that never comes.
    pub fn never() -> Self {
        stop().1
    }

    /// What has been asked for until now.
    pub fn urgency(&self) -> Urgency {
        *self.receiver.borrow()
    }

    /// Waits until something at least this urgent is asked for.
    pub async fn requested(&mut self, at_least: Urgency) -> Urgency {
        // The guard on the value must not live on, or the future could not change threads.
        let heard = self.receiver.wait_for(|urgency| *urgency >= at_least).await;
        let heard = heard.map(|urgency| *urgency);
        match heard {
            Ok(urgency) => urgency,
            // Nobody is left to ask.
            Err(_) => std::future::pending().await,
        }
    }
}

/// Who hears Ctrl-C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupts {
    /// We do, and stop.
    Stop,
    /// The task alone, which has the terminal: a debugger takes it for a command.
    LeftToTask,
}

/// Turns SIGTERM and SIGINT into a request to stop soon, and each further one into a request to stop now.
pub fn listen(interrupts: Interrupts) -> std::io::Result<Stop> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    // Also where it is left to the task: by default it would end this process.
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stopper, stop) = stop();
    tokio::spawn(async move {
        let mut urgency = Urgency::Soon;
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {
                    if interrupts == Interrupts::LeftToTask {
                        continue;
                    }
                }
            }
            stopper.request(urgency);
            urgency = Urgency::Now;
        }
    });
    Ok(stop)
}
