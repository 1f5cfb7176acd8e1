//! How long the history of an execution gets at worst: it fails when it needs more than [`EVENTS_MAX`] events.
//!
//! At worst each task fails as often as it may be tried. Left out is what no plan tells: the width of a foreach that shares
//! its execution, of which one iteration is counted, and services that are busy.

use flowc_core::diag::{Code, Diagnostic};
use flowc_core::ir::plan::{Node, Plan, Region};
use flowc_target::Profile;
use flowc_target::profile::ForeachMode;

use crate::overlap;
use crate::ways::Ways;

/// Events of one execution (Step Functions, "Quotas", maximum execution history).
pub(crate) const EVENTS_MAX: u32 = 25_000;

/// Started and ended.
const EXECUTION: u32 = 2;
/// Entered, scheduled, started, succeeded, exited.
const REQUEST: u32 = 5;
/// The same, and submitted.
const JOB: u32 = 6;
/// Failed, scheduled, started, submitted.
const RETRY: u32 = 4;
/// Entered, started, succeeded, exited.
const PARALLEL: u32 = 4;
/// The same for a map, and two of each iteration.
const INLINE_MAP: u32 = 6;
/// Entered, started, the map run started and succeeded, succeeded, exited.
const DISTRIBUTED_MAP: u32 = 6;
/// Entered, exited.
const CHOICE: u32 = 2;
/// Those of `overlap = "skip"`: two choices and a request.
const OVERLAP: u32 = 2 + 2 + REQUEST;

/// Those of exit hooks: their job, and at most one more state. A failed run has one less.
const EXIT_HOOKS: u32 = JOB + 2;

/// Refuses a flow whose longest execution may not come to its end.
pub(crate) fn check(plan: &Plan, profile: &Profile) -> Option<Diagnostic> {
    let mut counter = Counter {
        plan,
        inline: profile.step_functions.foreach == ForeachMode::Inline,
        longest: 0,
    };
    let first = if overlap::is_skipped(plan, profile) {
        OVERLAP + REQUEST
    } else {
        REQUEST
    };
    let last = if plan.exit_hooks.is_empty() {
        0
    } else {
        EXIT_HOOKS
    };
    counter.execution(&plan.root, first + last, 0);
    let longest = counter.longest;
    if longest <= EVENTS_MAX {
        return None;
    }
    let message = format!(
        "a run of `{}` may need {longest} history events, more than the {EVENTS_MAX} of Step Functions",
        plan.flow
    );
    let label = format!(
        "{} steps, each tried as often as it may be",
        plan.steps.len()
    );
    let diagnostic = Diagnostic::error(Code::FC1002, message, plan.span, label);
    Some(
        diagnostic
            .help("retry fewer steps, use a foreach where steps do the same, or divide the flow"),
    )
}

struct Counter<'a> {
    plan: &'a Plan,
    /// Whether an outermost foreach shares its execution.
    inline: bool,
    /// Events of the longest execution so far.
    longest: u32,
}

impl Counter<'_> {
    fn execution(&mut self, region: &Region, first: u32, depth: usize) {
        let events = EXECUTION
            .saturating_add(first)
            .saturating_add(self.region(region, depth));
        self.longest = self.longest.max(events);
    }

    /// The longest way through a region.
    fn region(&mut self, region: &Region, depth: usize) -> u32 {
        let ways = Ways::new(self.plan, region);
        let mut longest = vec![0_u32; region.nodes.len()];
        for (place, node) in region.nodes.iter().enumerate().rev() {
            let behind = ways.after(place).map(|next| longest[next]).max();
            longest[place] = self.node(node, depth).saturating_add(behind.unwrap_or(0));
        }
        longest.first().copied().unwrap_or(0)
    }

    fn node(&mut self, node: &Node, depth: usize) -> u32 {
        match node {
            Node::Step(step) => {
                let step = &self.plan.steps[*step];
                let switch = if step.is_switch() {
                    REQUEST + CHOICE
                } else {
                    0
                };
                JOB + RETRY * step.restarts() + switch
            }
            Node::Parallel { branches, .. } => branches.iter().fold(PARALLEL, |sum, branch| {
                sum.saturating_add(self.region(branch, depth))
            }),
            Node::Map { body, .. } if self.inline || depth > 0 => {
                (REQUEST + INLINE_MAP).saturating_add(self.region(body, depth + 1))
            }
            Node::Map { body, .. } => {
                self.execution(body, 0, depth + 1);
                DISTRIBUTED_MAP
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use flowc_target::profile::ForeachMode;
    use flowc_target::testing::{linear, options, plan, source};

    use super::{Counter, check};

    fn longest(text: &str, mode: ForeachMode) -> u32 {
        let plan = plan(text);
        let mut counter = Counter {
            plan: &plan,
            inline: mode == ForeachMode::Inline,
            longest: 0,
        };
        counter.execution(&plan.root, super::REQUEST, 0);
        counter.longest
    }

    /// The emulator's histories have these lengths, see the tests of Step Functions.
    #[test]
    fn events_are_counted_as_histories_have_them() {
        assert_eq!(longest(&linear(3), ForeachMode::Distributed), 2 + 5 + 3 * 6);
        let retried = linear(3).replacen("    @step", "    @retry(times=2)\n    @step", 1);
        assert_eq!(
            longest(&retried, ForeachMode::Distributed),
            2 + 5 + 3 * 6 + 2 * 4
        );
        let wide = source(
            "class F(FlowSpec):
    @step
    def start(self):
        self.next(self.one, foreach='xs')
    @step
    def one(self):
        self.next(self.join)
    @step
    def join(self, inputs):
        self.next(self.end)
    @step
    def end(self):
        pass
",
        );
        assert_eq!(longest(&wide, ForeachMode::Distributed), 2 + 5 + 3 * 6 + 6);
        assert_eq!(
            longest(&wide, ForeachMode::Inline),
            2 + 5 + 3 * 6 + 5 + 6 + 6
        );
    }

    #[test]
    fn of_the_ways_behind_a_switch_the_longest_counts() {
        let text = source(
            "class F(FlowSpec):
    @step
    def start(self):
        self.next({'a': self.long, 'b': self.end}, condition='kind')
    @step
    def long(self):
        self.next({'again': self.long, 'on': self.longer, 'off': self.end}, condition='state')
    @step
    def longer(self):
        self.next(self.end)
    @step
    def end(self):
        pass
",
        );
        let switch = 5 + 2;
        assert_eq!(
            longest(&text, ForeachMode::Distributed),
            2 + 5 + 4 * 6 + 2 * switch
        );
        let plan = plan(&text);
        let (_, found) = flowc_target::Target::emit(&crate::StepFunctions, &plan, &options());
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_history_that_may_get_too_long_is_refused() {
        let retried = |count| {
            let text = linear(count).replace("    @step", "    @retry(times=4)\n    @step");
            check(&plan(&text), &options().profile)
        };
        assert!(retried(1136).is_none());
        let found = retried(1137).unwrap();
        assert!(
            found.message.contains("may need 25021 history events"),
            "{}",
            found.message
        );
    }
}
