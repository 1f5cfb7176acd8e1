//! `@resources`, `@batch` and `@kubernetes`: what a task asks for.

use super::attributes::argument;
use crate::check::decorators::number;
use crate::ir::flow::Decorator;
use crate::ir::plan::{Attributes, Resources};

/// Thousandths of a CPU where nothing is asked for.
const CPU_MILLI: u32 = 1000;
/// MiB of memory where nothing is asked for.
const MEMORY_MIB: u32 = 4096;

/// Arguments that become [`Resources`]; the others stay with their decorator.
const SHARED: [&str; 5] = ["cpu", "memory", "gpu", "disk", "shared_memory"];

/// The larger of what `@resources` and `@batch` or `@kubernetes` ask for.
///
/// As in Metaflow, `@resources` and `@kubernetes` ask for 1 CPU and 4096 MB where they say nothing, so that one without `memory=`
/// outweighs a smaller value of the other; `@batch` asks for nothing it does not say
/// (`metaflow/plugins/aws/aws_utils.py`, `compute_resource_attributes`, and `kubernetes_decorator.py`, `step_init`, read at 2.19.38).
pub(super) fn resolve(resources: Option<&Decorator>, compute: Option<&Decorator>) -> Resources {
    let given = |decorator: Option<&Decorator>, name: &str, unit: f64| {
        let value = &argument(decorator?, name)?.value.value;
        let scaled = (number(value)? * unit).ceil();
        u32::try_from(scaled as i64).ok()
    };
    let larger =
        |name: &str, unit: f64| given(resources, name, unit).max(given(compute, name, unit));
    let is_kubernetes = compute.is_some_and(|it| it.name.value == "kubernetes");
    let both = resources.is_some() && compute.is_some();
    let with_default = |name: &str, unit: f64, default: u32| {
        let says_nothing = given(resources, name, unit).is_none()
            || (is_kubernetes && given(compute, name, unit).is_none());
        let floor = if both && says_nothing { default } else { 0 };
        larger(name, unit).map_or(default, |value| value.max(floor))
    };
    Resources {
        cpu_milli: with_default("cpu", 1000.0, CPU_MILLI),
        memory_mib: with_default("memory", 1.0, MEMORY_MIB),
        gpu: larger("gpu", 1.0).unwrap_or(0),
        disk_mib: larger("disk", 1.0),
        shared_memory_mib: larger("shared_memory", 1.0),
    }
}

/// Arguments of `@batch` or `@kubernetes` that are no [`Resources`].
pub(super) fn others(decorator: &Decorator) -> Attributes {
    let names = decorator.arguments.keys();
    let values = names
        .filter(|name| !SHARED.contains(&name.as_str()))
        .filter_map(|name| {
            let given = argument(decorator, name)?;
            Some((name.clone(), (given.value.value.clone(), given.value.span)))
        });
    Attributes {
        values: values.collect(),
    }
}
