//! What `flowc resume` says of each task: whether its result was taken over or it runs, and why.

use std::fmt::Write as _;

use flowc_local::resume::{Adoption, Following, StepFate, Why};
use flowc_protocol::identity::{IndexPath, TaskId};

use crate::output;

/// Says it, one line for what is alike.
pub(crate) fn tell(adoption: &Adoption) {
    for (step, results) in &adoption.gone {
        let plural = if *results == 1 { "" } else { "s" };
        output::status(
            "Left",
            format_args!("{step}: the flow has no such step any more ({results} result{plural})"),
        );
    }
    for fate in &adoption.steps {
        for (verb, line) in lines(fate, &adoption.origin) {
            output::status(verb, line);
        }
    }
}

fn lines(fate: &StepFate, origin: &str) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    let step = &fate.step;
    if !fate.adopted.is_empty() {
        let tasks = named(step, &fate.adopted);
        lines.push(("Adopted", format!("{tasks}: done in {origin}")));
    }
    // Those that run for one reason are told of together.
    let mut grouped: Vec<(String, Vec<TaskId>)> = Vec::new();
    for (task, why) in &fate.runs {
        let why = reason(why, origin);
        match grouped.iter_mut().find(|(known, _)| *known == why) {
            Some((_, tasks)) => tasks.push(task.clone()),
            None => grouped.push((why, vec![task.clone()])),
        }
    }
    for (why, tasks) in grouped {
        lines.push(("Runs", format!("{}: {why}", named(step, &tasks))));
    }
    if !fate.follows.is_empty() {
        let closed = places(&fate.follows, false);
        let open = places(&fate.follows, true);
        let mut tasks = Vec::new();
        if !closed.is_empty() {
            tasks.push(named(step, &closed));
        }
        tasks.extend(open.iter().map(|task| format!("{step}/{task}-*")));
        let why = if fate.is_conditional {
            "what it starts from runs, if that leads to it"
        } else {
            "what it starts from runs"
        };
        lines.push(("Runs", format!("{}: {why}", tasks.join(" "))));
    }
    lines
}

fn places<'a>(follows: impl IntoIterator<Item = &'a Following>, is_open: bool) -> Vec<TaskId> {
    let wanted = follows.into_iter().filter(|it| it.is_open == is_open);
    wanted.map(|it| at(&it.index)).collect()
}

fn at(index: &IndexPath) -> TaskId {
    TaskId {
        index: index.clone(),
        iteration: None,
    }
}

fn reason(why: &Why, origin: &str) -> String {
    match why {
        Why::Named => "it is the step that was asked for".to_owned(),
        Why::Failed(None) => format!("it failed in {origin}"),
        Why::Failed(Some(error)) => format!("it failed in {origin}: {error}"),
        Why::Unfinished => format!("it had not ended in {origin}"),
        Why::NotBegun => format!("it had not begun in {origin}"),
        Why::OtherNesting => format!("{origin} has it inside other foreaches"),
        Why::OtherWay => format!("it leads elsewhere now than in {origin}"),
        Why::Damaged(said) => said.clone(),
        Why::Lost(artifact) => {
            format!("its artifact `{artifact}` is not in the store any more")
        }
        Why::RestOfGang => "another node of its gang runs".to_owned(),
    }
}

/// `train/t`, or `train/t-0..t-7 t-9`: three and more neighbours are told by their ends.
fn named(step: &str, tasks: &[TaskId]) -> String {
    let mut text = format!("{step}/");
    let mut at = 0;
    while let Some(first) = tasks.get(at) {
        let mut last = at;
        while tasks
            .get(last + 1)
            .is_some_and(|next| follows(&tasks[last], next))
        {
            last += 1;
        }
        if at > 0 {
            text.push(' ');
        }
        // Writing to a string cannot fail.
        if last - at >= 2 {
            let _ = write!(text, "{first}..{}", tasks[last]);
            at = last + 1;
        } else {
            text.push_str(&first.to_string());
            at += 1;
        }
    }
    text
}

/// Whether two tasks are neighbours in the innermost foreach, or iterations after each other.
fn follows(one: &TaskId, next: &TaskId) -> bool {
    if let (Some(iteration), Some(following)) = (one.iteration, next.iteration) {
        return one.index == next.index && iteration + 1 == following;
    }
    if one.iteration.is_some() || next.iteration.is_some() {
        return false;
    }
    let (one, next) = (one.index.indices(), next.index.indices());
    match (one.split_last(), next.split_last()) {
        (Some((last, outer)), Some((next_last, next_outer))) => {
            outer == next_outer && last + 1 == *next_last
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(texts: &[&str]) -> Vec<TaskId> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn wide_foreaches_are_told_by_ranges() {
        let tasks = paths(&["t-0", "t-1", "t-2", "t-4", "t-5", "t-7"]);
        assert_eq!(named("body", &tasks), "body/t-0..t-2 t-4 t-5 t-7");
        let tasks = paths(&["t-0-8", "t-0-9", "t-1-0", "t-1-1", "t-1-2"]);
        assert_eq!(named("body", &tasks), "body/t-0-8 t-0-9 t-1-0..t-1-2");
        let tasks = paths(&["t-0.0", "t-0.1", "t-0.2", "t-1.0", "t-1.1"]);
        assert_eq!(named("loop", &tasks), "loop/t-0.0..t-0.2 t-1.0 t-1.1");
        assert_eq!(named("start", &paths(&["t"])), "start/t");
    }

    #[test]
    fn each_task_is_told_of_with_its_reason() {
        let fate = StepFate {
            step: "train".to_owned(),
            whole: 3,
            is_conditional: false,
            adopted: paths(&["t-0", "t-1", "t-2"]),
            runs: vec![
                (
                    paths(&["t-3"])[0].clone(),
                    Why::Failed(Some("no luck".to_owned())),
                ),
                (paths(&["t-4"])[0].clone(), Why::NotBegun),
                (paths(&["t-5"])[0].clone(), Why::NotBegun),
            ],
            follows: [("6", false), ("7", true)]
                .map(|(index, is_open)| Following {
                    index: index.parse().unwrap(),
                    is_open,
                })
                .into(),
        };
        let said: Vec<String> = lines(&fate, "17")
            .into_iter()
            .map(|(verb, line)| format!("{verb} {line}"))
            .collect();
        assert_eq!(
            said,
            [
                "Adopted train/t-0..t-2: done in 17",
                "Runs train/t-3: it failed in 17: no luck",
                "Runs train/t-4 t-5: it had not begun in 17",
                "Runs train/t-6 train/t-7-*: what it starts from runs",
            ]
        );
    }
}
