//! The flows of `tests/flows`: one for each part of the language, small enough to run on every executor.

use std::path::PathBuf;

use crate::repo_root;

/// A flow about one construct.
#[derive(Clone, Copy, Debug)]
pub struct Construct {
    /// Its folder, and its row in the matrix.
    pub name: &'static str,
    /// What holds its folder, below the repository's root: an example may show a construct as well.
    pub shelf: &'static str,
    /// Name of the flow.
    pub class: &'static str,
    /// What it shows, for the matrix.
    pub what: &'static str,
    /// What it is run with.
    pub arguments: &'static [&'static str],
    /// The step from which a resumed run goes on: before it lies what is taken over.
    pub resume_from: &'static str,
}

impl Construct {
    /// The folder that holds `flow.py` and what it imports.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        repo_root().join(self.shelf).join(self.name)
    }

    /// The flow file.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.folder().join("flow.py")
    }
}

/// All of them, in the order of the matrix.
pub const CONSTRUCTS: &[Construct] = &[
    Construct {
        name: "one_step",
        shelf: "tests/flows",
        class: "OneStepFlow",
        what: "a flow of one step, a parameter",
        arguments: &[],
        resume_from: "only",
    },
    Construct {
        name: "custom_ends",
        shelf: "tests/flows",
        class: "CustomEndsFlow",
        what: "`@step(start=True)`, `@step(end=True)`",
        arguments: &[],
        resume_from: "publish",
    },
    Construct {
        name: "inheritance",
        shelf: "tests/flows",
        class: "InheritanceFlow",
        what: "base classes, also in other files",
        arguments: &["--alpha", "2"],
        resume_from: "end",
    },
    Construct {
        name: "mutators",
        shelf: "tests/flows",
        class: "MutatorsFlow",
        what: "`Config`, `config_expr`, mutators, user step decorators",
        arguments: &["--lines_size", "7"],
        resume_from: "end",
    },
    Construct {
        name: "merge",
        shelf: "tests/flows",
        class: "MergeFlow",
        what: "`merge_artifacts`, `inputs` by name and index",
        arguments: &[],
        resume_from: "gather",
    },
    Construct {
        name: "attempts",
        shelf: "tests/flows",
        class: "AttemptsFlow",
        what: "`@retry`, `@catch`, `@timeout`, `@environment`, `@secrets`",
        arguments: &[],
        resume_from: "slow",
    },
    Construct {
        name: "nested",
        shelf: "examples",
        class: "NestedFlow",
        what: "foreach three deep with a split inside",
        arguments: &[],
        resume_from: "profit",
    },
    Construct {
        name: "switch",
        shelf: "tests/flows",
        class: "SwitchFlow",
        what: "switches whose arms meet again",
        arguments: &[],
        resume_from: "weigh",
    },
    Construct {
        name: "switch_in_branch",
        shelf: "tests/flows",
        class: "SwitchInBranchFlow",
        what: "a switch and a foreach in the branches of a split",
        arguments: &[],
        resume_from: "both",
    },
    Construct {
        name: "switch_in_foreach",
        shelf: "tests/flows",
        class: "SwitchInForeachFlow",
        what: "a switch in a foreach, a foreach in an arm, arms that end in the join",
        arguments: &[],
        resume_from: "gather",
    },
    Construct {
        name: "loop",
        shelf: "tests/flows",
        class: "LoopFlow",
        what: "a loop, retried in one iteration",
        arguments: &[],
        resume_from: "report",
    },
    Construct {
        name: "loop_in_foreach",
        shelf: "tests/flows",
        class: "LoopInForeachFlow",
        what: "a loop in a foreach",
        arguments: &[],
        resume_from: "work",
    },
    Construct {
        name: "gang",
        shelf: "tests/flows",
        class: "GangFlow",
        what: "`num_parallel` and `@parallel`: a gang that is retried, gangs in a foreach",
        arguments: &[],
        resume_from: "divide",
    },
    Construct {
        name: "trigger",
        shelf: "tests/flows",
        class: "TriggerFlow",
        what: "`@trigger`, `current.trigger` where nothing triggered",
        arguments: &[],
        resume_from: "join",
    },
    Construct {
        name: "trigger_on_finish",
        shelf: "tests/flows",
        class: "TriggerOnFinishFlow",
        what: "`@trigger_on_finish`, likewise",
        arguments: &[],
        resume_from: "join",
    },
    Construct {
        name: "exit_hook",
        shelf: "tests/flows",
        class: "ExitHookFlow",
        what: "`@exit_hook`: functions of which one fails",
        arguments: &[],
        resume_from: "end",
    },
    Construct {
        name: "refine",
        shelf: "examples",
        class: "RefineFlow",
        what: "a loop, and a switch behind it",
        arguments: &[],
        resume_from: "judge",
    },
    Construct {
        name: "random_one",
        shelf: "tests/flows",
        class: "RandomOneFlow",
        what: "made at random: splits, foreaches, switches and loops in each other",
        arguments: &[],
        resume_from: "end",
    },
    Construct {
        name: "random_two",
        shelf: "tests/flows",
        class: "RandomTwoFlow",
        what: "likewise",
        arguments: &[],
        resume_from: "end",
    },
];
