//! Flows run on Argo with real pods, in a namespace that enforces the restricted profile.

use super::world::World;

const EMPTY: &str = "class EmptyFlow(FlowSpec):
    @step
    def start(self):
        self.numbers = []
        self.next(self.square, foreach='numbers')

    @step
    def square(self):
        self.next(self.total)

    @step
    def total(self, inputs):
        assert list(inputs) == []
        self.next(self.end)

    @step
    def end(self):
        pass";

#[test]
fn an_empty_foreach_fails_its_split_step_by_default() {
    let Some(world) = World::new(EMPTY) else {
        return;
    };
    let ended = world.run(&[]).failed();
    let attempts = ended.attempts();
    assert_eq!(
        attempts["start/t"].started, 1,
        "it is not retried: {attempts:?}"
    );
    assert!(!attempts.contains_key("total/t"), "{attempts:?}");
}

#[test]
fn an_empty_foreach_goes_on_with_its_join_if_the_profile_says_so() {
    let Some(world) = World::new(&EMPTY.replace("EmptyFlow", "EmptyJoinFlow")) else {
        return;
    };
    world.profile("empty_foreach = 'join'");
    let ended = world.run(&[]).succeeded();
    let attempts = ended.attempts();
    assert_eq!(attempts["total/t"].commits, 1, "{attempts:?}");
    assert!(
        !attempts.keys().any(|task| task.starts_with("square/")),
        "{attempts:?}"
    );
}
