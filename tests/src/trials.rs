//! Tests that mostly wait for a bed: more of them at once than there are processors, which the standard harness does not do
//! by itself. Options of the command line are those of `cargo test`.

use std::env;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Trial};

/// A test's name and what it does; it fails by a panic.
pub type Test = (&'static str, fn());

/// The tests of a module by their names in it: `trials![a_test, another]`.
#[macro_export]
macro_rules! trials {
    ($($test:ident),+ $(,)?) => {
        &[$((concat!(module_path!(), "::", stringify!($test)), $test as fn())),+]
    };
}

/// The standard harness' option for the time of each test, which must be unlocked there and is unknown here.
const REPORT_TIME: [&str; 3] = ["-Z", "unstable-options", "--report-time"];

/// Runs the tests, as many at once as given, in their order; never returns.
pub fn main(at_once: usize, modules: &[&[Test]]) -> ! {
    let is_option = |word: &String| REPORT_TIME.contains(&word.as_str());
    let is_timed = env::args().any(|word| is_option(&word));
    let mut arguments = Arguments::from_iter(env::args().filter(|word| !is_option(word)));
    arguments.test_threads.get_or_insert(at_once);
    let times = Arc::new(Mutex::new(Vec::<(&str, Duration)>::new()));
    let trial = |&(name, test): &Test| {
        // As the standard harness has it: without the name of the binary.
        let name = name.split_once("::").map_or(name, |(_, name)| name);
        let times = Arc::clone(&times);
        Trial::test(name, move || {
            let began = Instant::now();
            test();
            let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
            times.push((name, began.elapsed()));
            Ok(())
        })
    };
    let trials = modules.concat().iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    if is_timed {
        let times = times.lock().unwrap_or_else(PoisonError::into_inner);
        let line =
            |(name, took): &(&str, Duration)| format!("time {name} <{:.3}s>", took.as_secs_f64());
        let lines: Vec<String> = times.iter().map(line).collect();
        crate::report(&lines.join("\n"));
    }
    conclusion.exit()
}
