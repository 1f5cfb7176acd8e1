//! Front end, checks and plan for flows of 10 to 10 000 steps in three shapes, and for flows full of mistakes.
//!
//! Throughput is steps per second; it stays the same from size to size as long as the work is linear.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flowc_core::diag::render::{Colour, text};
use flowc_core::front::python;
use flowc_core::lower;
use flowc_core::source::SourceTree;

/// Name, and source text of so many steps.
type Shape = (&'static str, fn(usize) -> String);

const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];

fn step(text: &mut String, name: &str, arguments: &str, next: &str) {
    let written = write!(
        text,
        "    @step\n    def {name}({arguments}):\n        self.x = 1\n        {next}\n\n"
    );
    written.expect("text takes everything");
}

fn flow(steps: impl FnOnce(&mut String)) -> String {
    let mut text = "from metaflow import FlowSpec, step\n\n\nclass BigFlow(FlowSpec):\n".to_owned();
    steps(&mut text);
    step(&mut text, "end", "self", "pass");
    text + "\nif __name__ == \"__main__\":\n    BigFlow()\n"
}

/// One step after the other.
fn chain(count: usize) -> String {
    flow(|text| {
        step(text, "start", "self", "self.next(self.s1)");
        for number in 1..count - 2 {
            let next = format!("self.next(self.s{})", number + 1);
            step(text, &format!("s{number}"), "self", &next);
        }
        step(
            text,
            &format!("s{}", count - 2),
            "self",
            "self.next(self.end)",
        );
    })
}

/// One split into as many branches as there are steps.
fn wide(count: usize) -> String {
    flow(|text| {
        let branches: Vec<String> = (3..count).map(|number| format!("self.s{number}")).collect();
        let next = format!("self.next({})", branches.join(", "));
        step(text, "start", "self", &next);
        for number in 3..count {
            step(text, &format!("s{number}"), "self", "self.next(self.join)");
        }
        step(text, "join", "self, inputs", "self.next(self.end)");
    })
}

/// Groups of a foreach that stand inside each other, eight deep, one group after the other.
fn nested(count: usize) -> String {
    const DEPTH: usize = 8;
    let groups = (count.saturating_sub(2) / (2 * DEPTH + 1)).max(1);
    flow(|text| {
        step(text, "start", "self", "self.next(self.g0_open0)");
        for group in 0..groups {
            for level in 0..DEPTH {
                let inner = match level + 1 {
                    DEPTH => format!("g{group}_body"),
                    next => format!("g{group}_open{next}"),
                };
                let next = format!("self.next(self.{inner}, foreach=\"items\")");
                step(text, &format!("g{group}_open{level}"), "self", &next);
                let outer = match level {
                    0 if group + 1 == groups => "end".to_owned(),
                    0 => format!("g{}_open0", group + 1),
                    _ => format!("g{group}_join{}", level - 1),
                };
                let next = format!("self.next(self.{outer})");
                step(
                    text,
                    &format!("g{group}_join{level}"),
                    "self, inputs",
                    &next,
                );
            }
            let next = format!("self.next(self.g{group}_join{})", DEPTH - 1);
            step(text, &format!("g{group}_body"), "self", &next);
        }
    })
}

fn check(criterion: &mut Criterion) {
    let shapes: [Shape; 3] = [("chain", chain), ("wide", wide), ("nested", nested)];
    for (name, shape) in shapes {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(10);
        for size in SIZES {
            let source = shape(size);
            group.throughput(Throughput::Elements(size as u64));
            group.bench_with_input(
                BenchmarkId::from_parameter(size),
                &source,
                |bencher, source| {
                    bencher.iter(|| {
                        let mut tree = SourceTree::default();
                        let file = tree.add("flow.py", black_box(source.as_str()));
                        let (flow, found) = python::lower(&tree, file, None);
                        assert!(!found.has_errors(), "{found:?}");
                        let (plan, found) = lower::plan(&tree, &flow.expect("a flow"));
                        assert!(plan.is_some(), "{found:?}");
                        plan
                    });
                },
            );
        }
        group.finish();
    }
}

/// Every step leads to a step that does not exist: as many findings as steps, drawn as text.
fn mistakes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mistakes");
    group.sample_size(10);
    for size in SIZES {
        let source = flow(|text| {
            step(text, "start", "self", "self.next(self.s3)");
            for number in 3..=size {
                let next = format!("self.next(self.nowhere{number})");
                step(text, &format!("s{number}"), "self", &next);
            }
        });
        group.throughput(Throughput::Elements(size as u64));
        group.bench_with_input(
            BenchmarkId::from_parameter(size),
            &source,
            |bencher, source| {
                bencher.iter(|| {
                    let mut tree = SourceTree::default();
                    let file = tree.add("flow.py", black_box(source.as_str()));
                    let (flow, _) = python::lower(&tree, file, None);
                    let (_, found) = lower::plan(&tree, &flow.expect("a flow"));
                    text(&tree, &found, Colour::Never)
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, check, mistakes);
criterion_main!(benches);
