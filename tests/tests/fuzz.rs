//! Mutated flow files, for a minute or for `FLOWC_FUZZ_SECONDS`: the front end, the checks and the emitters find
//! something or print something, but do not panic.
//!
//! The corpus is every flow file of the repository. `FLOWC_FUZZ_SEED` repeats a run, as far as it comes in its time.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::time::{Duration, Instant};

use fastrand::Rng;
use flowc_airflow::Airflow;
use flowc_argo::Argo;
use flowc_core::diag::render::{Colour, github, json, text};
use flowc_core::source::SourceTree;
use flowc_core::{front, lower};
use flowc_step_functions::StepFunctions;
use flowc_target::Target;
use flowc_tests::{repo_root, report, setting, temp_dir};

/// How long it goes on.
const SECONDS: u64 = 60;

/// Mutations of one input.
const MUTATIONS: std::ops::Range<usize> = 1..5;

/// What flows are made of, and what breaks them.
const TOKENS: &[&str] = &[
    "self.next(",
    "self.",
    "foreach=",
    "condition=",
    "num_parallel=",
    "inputs",
    "@step",
    "@step(start=True)",
    "@parallel",
    "@retry(times=",
    "@catch(var=",
    "@project(name=",
    "@schedule(cron=",
    "@kubernetes(",
    "@batch(",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ":",
    ",",
    "\"",
    "'",
    "\"\"\"",
    "f\"{",
    "\\",
    "#",
    "\n",
    "\t",
    "    ",
    "\r\n",
    "\u{feff}",
    "\u{0}",
    "é",
    "\u{1f600}",
    "None",
    "True",
    "-1",
    "1e999",
    "99999999999999999999",
    "lambda: 0",
    "*args",
    "**kwargs",
    "import ",
    "from metaflow import *",
    "class ",
    "def ",
    "async ",
    "return ",
    "yield ",
    "if True:",
    "pass",
    "Parameter(\"",
    "Config(\"",
    "JSONType",
    "super().",
    "if __name__ == \"__main__\":",
];

fn corpus() -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = [
        "examples",
        "tests/flows",
        "tests/diagnostics",
        "tests/tests/conformance/flows",
    ]
    .map(|folder| repo_root().join(folder))
    .to_vec();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "py") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect()
}

/// A place between two characters.
fn place(random: &mut Rng, text: &str) -> usize {
    let mut at = random.usize(0..=text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// A word of the text, where there is one.
fn word<'a>(random: &mut Rng, text: &'a str) -> &'a str {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let words: Vec<&str> = text
        .split(|c| !is_part(c))
        .filter(|word| !word.is_empty())
        .collect();
    random.choice(words).unwrap_or("x")
}

fn mutate(random: &mut Rng, text: &mut String, other: &str) {
    match random.u8(0..8) {
        0 => {
            let (one, two) = (place(random, text), place(random, text));
            let end = one.max(two).min(one.min(two) + 40);
            let range = one.min(two)..end;
            if text.is_char_boundary(end) {
                text.replace_range(range, "");
            }
        }
        1 | 2 => {
            let at = place(random, text);
            text.insert_str(at, random.choice(TOKENS).unwrap());
        }
        3 => {
            let (from, to) = (word(random, text).to_owned(), word(random, other));
            *text = text.replacen(&from, to, random.usize(1..4));
        }
        4 => {
            let (from, to) = (word(random, text).to_owned(), word(random, text).to_owned());
            *text = text.replacen(&from, &to, random.usize(1..4));
        }
        kind => {
            let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
            let theirs: Vec<&str> = other.split_inclusive('\n').collect();
            if lines.is_empty() {
                return;
            }
            let (one, two) = (random.usize(0..lines.len()), random.usize(0..lines.len()));
            match kind {
                5 => lines.swap(one, two),
                6 => drop(lines.remove(one)),
                _ => {
                    let line = random.choice(theirs).unwrap_or("\n").to_owned();
                    lines.insert(one, line);
                }
            }
            *text = lines.concat();
        }
    }
}

/// Everything that `flowc compile` does with a file, and every form in which findings are printed; how far it got.
fn compile(source: &str) -> &'static str {
    let mut tree = SourceTree::default();
    let file = tree.add("flow.py", source);
    let (flow, mut found) = front::python::lower(&tree, file, None);
    let mut reached = "refused by the front end";
    if let Some(flow) = flow {
        let (plan, more) = lower::plan(&tree, &flow);
        found.extend(more);
        reached = "refused by the checks";
        if let Some(plan) = plan.filter(|_| !found.has_errors()) {
            let targets: [&dyn Target; 3] = [&StepFunctions, &Argo, &Airflow];
            for target in targets {
                let (files, more) = target.emit(&plan, &flowc_target::testing::options());
                assert!(
                    files.is_some() || more.has_errors(),
                    "{}: neither files nor an error",
                    target.name()
                );
                found.extend(more);
            }
            reached = "compiled";
        }
    }
    found.sort();
    for item in found.iter() {
        for label in &item.labels {
            let marked = tree.text(label.span);
            assert!(marked.len() <= source.len());
        }
    }
    let printed =
        text(&tree, &found, Colour::Never) + &json(&tree, &found) + &github(&tree, &found);
    assert!(found.is_empty() || !printed.is_empty());
    reached
}

#[test]
fn no_file_makes_the_compiler_panic() {
    let seed = setting("FLOWC_FUZZ_SEED", Rng::new().get_seed());
    let until = Instant::now() + Duration::from_secs(setting("FLOWC_FUZZ_SECONDS", SECONDS));
    eprintln!("fuzz, FLOWC_FUZZ_SEED={seed}");
    let corpus = corpus();
    let mut random = Rng::with_seed(seed);
    let mut counts = std::collections::BTreeMap::<&str, u64>::new();
    // A stack of the size that a program's first thread has.
    let fuzz = move || {
        while Instant::now() < until {
            let mut source = random.choice(&corpus).unwrap().clone();
            let other = random.choice(&corpus).unwrap();
            for _ in 0..random.usize(MUTATIONS) {
                mutate(&mut random, &mut source, other);
            }
            let ended = panic::catch_unwind(AssertUnwindSafe(|| compile(&source)));
            let Ok(reached) = ended else {
                let kept = keep(&source);
                panic!("seed {seed}: the input lies in {}", kept.display());
            };
            *counts.entry(reached).or_default() += 1;
        }
        counts
    };
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let counts = thread.spawn(fuzz).unwrap().join();
    let counts = counts.unwrap_or_else(|why| panic::resume_unwind(why));
    report(&format!("fuzz, seed {seed}: {counts:?}"));
    assert!(
        counts.get("compiled").is_some_and(|count| *count > 0),
        "{counts:?}"
    );
}

/// A copy of an input that outlives the test.
fn keep(source: &str) -> std::path::PathBuf {
    let folder = temp_dir().keep();
    let path = Path::new(&folder).join("flow.py");
    fs::write(&path, source).unwrap();
    path
}
