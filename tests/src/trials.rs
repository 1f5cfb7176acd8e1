//! Tests that mostly wait for a bed: more of them at once than there are processors, which the standard harness does not do
//! by itself. Options of the command line are those of `cargo test`.

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

/// Runs the tests, as many at once as given, in their order; never returns.
pub fn main(at_once: usize, modules: &[&[Test]]) -> ! {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(at_once);
    let trial = |&(name, test): &Test| {
        // As the standard harness has it: without the name of the binary.
        let name = name.split_once("::").map_or(name, |(_, name)| name);
        Trial::test(name, move || {
            test();
            Ok(())
        })
    };
    let trials = modules.concat().iter().map(trial).collect();
    libtest_mimic::run(&arguments, trials).exit()
}
