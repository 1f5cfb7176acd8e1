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

const fn construct(name: &'static str, class: &'static str, what: &'static str) -> Construct {
    Construct {
        name,
        shelf: "tests/flows",
        class,
        what,
        arguments: &[],
    }
}

/// All of them, in the order of the matrix.
pub const CONSTRUCTS: &[Construct] = &[
    construct("one_step", "OneStepFlow", "a flow of one step, a parameter"),
    construct(
        "custom_ends",
        "CustomEndsFlow",
        "`@step(start=True)`, `@step(end=True)`",
    ),
    Construct {
        arguments: &["--alpha", "2"],
        ..construct(
            "inheritance",
            "InheritanceFlow",
            "base classes, also in other files",
        )
    },
    Construct {
        arguments: &["--lines_size", "7"],
        ..construct(
            "mutators",
            "MutatorsFlow",
            "`Config`, `config_expr`, mutators, user step decorators",
        )
    },
    construct(
        "merge",
        "MergeFlow",
        "`merge_artifacts`, `inputs` by name and index",
    ),
    construct(
        "attempts",
        "AttemptsFlow",
        "`@retry`, `@catch`, `@timeout`, `@environment`",
    ),
    Construct {
        shelf: "examples",
        ..construct(
            "nested",
            "NestedFlow",
            "foreach three deep with a split inside",
        )
    },
    construct("switch", "SwitchFlow", "switches whose arms meet again"),
    construct(
        "switch_in_branch",
        "SwitchInBranchFlow",
        "a switch and a foreach in the branches of a split",
    ),
    construct(
        "switch_in_foreach",
        "SwitchInForeachFlow",
        "a switch in a foreach, a foreach in an arm, arms that end in the join",
    ),
    construct("loop", "LoopFlow", "a loop, retried in one iteration"),
    construct(
        "loop_in_foreach",
        "LoopInForeachFlow",
        "a loop in a foreach",
    ),
];
