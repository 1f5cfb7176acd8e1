//! Exit codes of `flowc-shim`, by which an orchestrator tells what to do next.

/// How a task ended. 64 and 65 are Argo's own; 137 and 143 are signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: committed, now or before.
    Done,
    /// 1: user code failed, and an attempt is left: start the task again.
    UserFailure,
    /// 10: user code failed for good: no attempt is left, or another one would be useless.
    UserFailureFinal,
    /// 20: the task cannot start as it is configured: environment, plan, package, parents, interpreter, access.
    Configuration,
    /// 21: bytes in the store do not match their digest.
    Corrupt,
    /// 22: the store holds a result that contradicts this one.
    Conflict,
    /// 70: the store did not answer, or answered that it is busy, until patience ran out.
    Store,
    /// 71: no space left on a device, or another limit of this machine.
    Machine,
    /// 75: stopped by a signal before the result was committed.
    Interrupted,
}

impl Exit {
    /// All of them.
    pub const ALL: &[Exit] = &[
        Exit::Done,
        Exit::UserFailure,
        Exit::UserFailureFinal,
        Exit::Configuration,
        Exit::Corrupt,
        Exit::Conflict,
        Exit::Store,
        Exit::Machine,
        Exit::Interrupted,
    ];

    /// The process's exit code.
    pub const fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::UserFailure => 1,
            Exit::UserFailureFinal => 10,
            Exit::Configuration => 20,
            Exit::Corrupt => 21,
            Exit::Conflict => 22,
            Exit::Store => 70,
            Exit::Machine => 71,
            Exit::Interrupted => 75,
        }
    }

    /// The one with this code.
    pub fn from_code(code: i64) -> Option<Self> {
        let mut all = Self::ALL.iter().copied();
        all.find(|exit| i64::from(exit.code()) == code)
    }

    /// What it means, for people, after "the task ended: ".
    pub const fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "its result is committed",
            Exit::UserFailure => "user code failed, and an attempt is left",
            Exit::UserFailureFinal => "user code failed for good",
            Exit::Configuration => "it cannot start as it is configured",
            Exit::Corrupt => "bytes in the store do not match their digest",
            Exit::Conflict => "the store holds another result of this task",
            Exit::Store => "the store did not answer, or was busy for too long",
            Exit::Machine => "no space was left, or another limit of the machine was reached",
            Exit::Interrupted => "it was stopped by a signal",
        }
    }

    /// Whether the same attempt may simply be started again elsewhere: 70 to 79.
    pub const fn is_transient(self) -> bool {
        matches!(self.code(), 70..=79)
    }
}
