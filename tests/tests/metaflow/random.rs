//! Random flows: a fixed sample of them is among the constructs, so that every executor runs them, and `./dev soak` has Metaflow
//! and flowc run as many as one likes.

use std::fs;

use flowc_tests::constructs::CONSTRUCTS;
use flowc_tests::setting;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::bed::{Bed, Case, Random};
use crate::flows::{self, Line, Sample, file_of, transition};
use crate::table::Table;

/// Tasks that a flow of the sample makes, those of iterations not counted: each is a pod on three beds.
const TASKS: std::ops::Range<usize> = 12..20;

/// What the flows' folders and rows in the matrix begin with.
const PREFIX: &str = "random_";

/// `UPDATE_GOLDEN=1` writes the files, after a change of the generator.
#[test]
fn the_fixed_sample_is_what_the_generator_makes() {
    let mut runner = TestRunner::deterministic();
    let strategy = flows::sample_that_chooses();
    let mut samples = std::iter::repeat_with(|| strategy.new_tree(&mut runner).unwrap().current())
        .filter(is_wanted);
    let rows = CONSTRUCTS.iter().filter(|it| it.name.starts_with(PREFIX));
    for row in rows {
        let made = source(row.class, &samples.next().unwrap());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::create_dir_all(row.folder()).unwrap();
            fs::write(row.file(), made).unwrap();
        } else {
            let kept = fs::read_to_string(row.file()).unwrap();
            assert_eq!(
                kept, made,
                "{} is stale (UPDATE_GOLDEN=1 writes it)",
                row.name
            );
        }
    }
}

/// `FLOWC_SOAK_FLOWS` of them, made from `FLOWC_SOAK_SEED`.
#[test]
#[ignore = "takes as long as one likes: ./dev soak"]
fn random_flows_leave_the_same_artifacts() {
    let seed = setting("FLOWC_SOAK_SEED", fastrand::u64(..));
    eprintln!("random flows, FLOWC_SOAK_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = flows::sample_that_chooses();
    let bed = Bed::new();
    let file = bed.root.path().join("flow.py");
    let mut table = Table::default();
    for _ in 0..setting("FLOWC_SOAK_FLOWS", 50) {
        let sample = strategy.new_tree(&mut runner).unwrap().current();
        let source = source("RandomFlow", &sample);
        fs::write(&file, &source).unwrap();
        let case = Case {
            name: "random",
            file: file.clone(),
            class: "RandomFlow",
            arguments: &[],
            random: Random::Free,
            in_place: false,
        };
        table.compare(&bed, &case);
        assert!(table.wrong.is_empty(), "{:#?}\n{source}", table.wrong);
    }
    table.finish(&format!("Random flows of seed {seed}"));
}

/// Flows that have everything that the language has to choose from: a split, a foreach, a switch and a loop.
fn is_wanted(sample: &Sample) -> bool {
    let lines = &sample.lines;
    let is_loop = |line: &Line| line.targets.contains(&line.name);
    let splits = |line: &Line| line.targets.len() > 1 && !line.is_switch;
    TASKS.contains(&tasks(&sample.shape))
        && lines.iter().any(splits)
        && lines.iter().any(|line| line.is_foreach)
        && lines.iter().any(|line| line.is_switch && !is_loop(line))
        && lines.iter().any(is_loop)
}

/// The tasks of a shape, each foreach with two elements; what a switch passes by is counted as well.
fn tasks(shape: &str) -> usize {
    let (mut each, mut count) = (1, 0);
    for word in shape
        .replace(['(', ')', '|'], " ")
        .replace('[', " [ ")
        .replace(']', " ] ")
        .split_whitespace()
    {
        match word {
            "[" => each *= 2,
            "]" => each /= 2,
            _ => count += each,
        }
    }
    count
}

/// The flow as a Python file that can be run: each step notes in `trail` the way that led to it, with the place in the
/// foreaches around it. A foreach has two elements, a switch chooses by the length of the way, a loop goes round twice.
///
/// Metaflow hands over the branches of a split in any order, so that a join sorts what they noted.
fn source(class: &str, sample: &Sample) -> String {
    let text = file_of(class, &sample.lines, |line| {
        let before = if line.is_join {
            "sorted(sum((one.trail for one in inputs), []))"
        } else if line.name == "start" {
            "[]"
        } else {
            "self.trail"
        };
        let name = &line.name;
        let mut body = vec![
            "place = [frame.index for frame in self._foreach_stack]".to_owned(),
            format!("self.trail = {before} + [\"{name} %s %s\" % (place, self._iteration_stack)]"),
        ];
        if line.is_foreach {
            body.push("self.items = [\"one\", \"two\"]".to_owned());
        }
        let cases = line.targets.len();
        if line.targets.contains(name) {
            body.push("self.choice = int(self._iteration_stack[-1] > 0)".to_owned());
        } else if line.is_switch {
            body.push(format!("self.choice = len(self.trail) % {cases}"));
        }
        if cases > 0 {
            body.push(transition(line));
        }
        body.join("\n        ")
    });
    format!(
        "\"\"\"Made at random: {}.\n\nEach step notes the way that led to it.\n\"\"\"\n\n{text}",
        sample.shape
    )
}
