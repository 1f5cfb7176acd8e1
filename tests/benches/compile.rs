//! Compiling flows of 10 to 10 000 steps: front end and checks alone, then each emitter.
//!
//! Throughput is steps per second; it stays the same from size to size as long as the work is linear.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flowc_protocol::manifest::EmptyForeach;
use flowc_target::testing::{options, plan};
use flowc_target::{Target, manifest};

const SIZES: &[usize] = &[10, 100, 1_000, 10_000];

/// A chain of steps in which every tenth opens a foreach and every tenth a static split.
fn source(steps: usize) -> String {
    let mut text = String::from(
        "from metaflow import FlowSpec, retry, step\n\n\nclass ChainFlow(FlowSpec):\n",
    );
    let mut written = 2;
    let mut at = "start".to_owned();
    let mut next = 0;
    let mut step = |name: &str, join: bool, transition: &str, written: &mut usize| {
        let inputs = if join { ", inputs" } else { "" };
        let _ = write!(
            text,
            "    @step\n    def {name}(self{inputs}):\n        self.items = [1, 2]\n        self.next({transition})\n\n"
        );
        *written += 1;
    };
    while written + 12 <= steps {
        let name = |kind: &str| format!("{kind}_{next}");
        step(&at, false, &format!("self.{}", name("fan")), &mut written);
        step(
            &name("fan"),
            false,
            &format!("self.{}, foreach=\"items\"", name("body")),
            &mut written,
        );
        step(
            &name("body"),
            false,
            &format!("self.{}", name("tail")),
            &mut written,
        );
        step(
            &name("tail"),
            false,
            &format!("self.{}", name("gather")),
            &mut written,
        );
        step(
            &name("gather"),
            true,
            &format!("self.{}", name("fork")),
            &mut written,
        );
        step(
            &name("fork"),
            false,
            &format!("self.{}, self.{}", name("left"), name("right")),
            &mut written,
        );
        step(
            &name("left"),
            false,
            &format!("self.{}", name("merge")),
            &mut written,
        );
        step(
            &name("right"),
            false,
            &format!("self.{}", name("merge")),
            &mut written,
        );
        step(
            &name("merge"),
            true,
            &format!("self.{}", name("link")),
            &mut written,
        );
        at = name("link");
        next += 1;
    }
    while written < steps {
        let following = format!("link_{next}_{written}");
        step(&at, false, &format!("self.{following}"), &mut written);
        at = following;
    }
    step(&at, false, "self.end", &mut written);
    text.push_str("    @step\n    def end(self):\n        pass\n\n\nif __name__ == \"__main__\":\n    ChainFlow()\n");
    text
}

fn check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("check");
    group.sample_size(10);
    for size in SIZES {
        let text = source(*size);
        group.throughput(Throughput::Elements(*size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &text, |bencher, text| {
            bencher.iter(|| plan(black_box(text)));
        });
    }
    group.finish();
}

fn emit(criterion: &mut Criterion) {
    let targets: [&dyn Target; 3] = [
        &flowc_step_functions::StepFunctions,
        &flowc_argo::Argo,
        &flowc_airflow::Airflow,
    ];
    for target in targets {
        let mut group = criterion.benchmark_group(target.name());
        group.sample_size(10);
        for size in SIZES {
            let plan = plan(&source(*size));
            let options = options();
            group.throughput(Throughput::Elements(*size as u64));
            // Beyond its limit a target refuses the flow; that must take no longer than printing it.
            group.bench_with_input(BenchmarkId::from_parameter(size), &plan, |bencher, plan| {
                bencher.iter(|| target.emit(black_box(plan), &options));
            });
        }
        group.finish();
    }
    let mut group = criterion.benchmark_group("plan.json");
    group.sample_size(10);
    for size in SIZES {
        let plan = plan(&source(*size));
        group.throughput(Throughput::Elements(*size as u64));
        group.bench_with_input(BenchmarkId::from_parameter(size), &plan, |bencher, plan| {
            bencher.iter(|| manifest::manifest(black_box(plan), EmptyForeach::Fail));
        });
    }
    group.finish();
}

criterion_group!(benches, check, emit);
criterion_main!(benches);
