//! Environment variables that an orchestrator sets for `flowc-shim step NAME` and `flowc-shim hooks`.
//!
//! Their values have a fixed alphabet, so that no orchestrator's templating can change them.

/// URL of the store's root: `s3://bucket/prefix`, `gs://…`, `az://…`, or a local folder.
pub const STORE: &str = "FLOWC_STORE";

/// The code package as [`crate::identity::package_name`] writes it: `<Flow>/<sha256 of the uncompressed tar>`.
pub const PACKAGE: &str = "FLOWC_PACKAGE";

/// The run's name as the orchestrator gives it, with the orchestrator in front of a colon: `sfn:<execution name>`,
/// `argo:<workflow name>`, `airflow:<run_id>`; or `id:<run id>`, which is taken as it is.
/// [`crate::identity::run_id`] turns it into the run id.
pub const RUN: &str = "FLOWC_RUN";

/// The index path, `3-1`; `-` or absent outside any foreach.
pub const INDEX: &str = "FLOWC_INDEX";

/// The orchestrator's own attempt number, 0-based; recorded, never an identity.
pub const ATTEMPT: &str = "FLOWC_ATTEMPT";

/// For `flowc-shim hooks` alone: what tells this end of the run from others, such as one before the run was continued.
/// Any text; of starts with the same text only one calls a function.
pub const EXECUTION: &str = "FLOWC_EXECUTION";

/// Protocol with which the bundle was written.
pub const PROTOCOL: &str = "FLOWC_PROTOCOL";

/// Parameters of the run for its first step: base64 of a JSON object, parameter name to JSON value.
pub const PARAMETERS: &str = "FLOWC_PARAMETERS";

/// One parameter of the run for its first step: `FLOWC_PARAMETER_<name>` holds base64 of its JSON value.
/// Wins over [`PARAMETERS`].
pub const PARAMETER_PREFIX: &str = "FLOWC_PARAMETER_";

/// Key, relative to the store's root, of a JSON object with the run's parameters, for its first step; where an orchestrator put its input there.
pub const INPUT: &str = "FLOWC_INPUT";

/// What the orchestrator says of the `n`th trigger of the plan, from 0, for the first step: `FLOWC_TRIGGER_<n>` holds
/// base64 of JSON, the payload of the event or `{"run": "argo:NAME"}`; absent where that trigger took no part.
pub const TRIGGER_PREFIX: &str = "FLOWC_TRIGGER_";
/// File that takes the reports `{"count": n}` and `{"next": "name"}` or one line of error, as a whole
/// (Kubernetes' termination message).
pub const REPORT: &str = "FLOWC_REPORT";

/// File that takes the bare count of a foreach (Argo's output parameter).
pub const REPORT_COUNT: &str = "FLOWC_REPORT_COUNT";

/// File that takes the bare name of the step that a switch chose (Argo's output parameter).
pub const REPORT_NEXT: &str = "FLOWC_REPORT_NEXT";

/// Folder for spool files and the unpacked package; by default a new folder below the system's temporary one.
pub const WORK: &str = "FLOWC_WORK";

/// Folder that holds the code already, with `plan.json` in it; no package is fetched.
pub const CODE: &str = "FLOWC_CODE";

/// Seconds for which a task whose step has ended waits for processes that the step left running and that hold its
/// output; 60 by default. `flowc run` reads it too.
pub const OUTPUT_WAIT: &str = "FLOWC_OUTPUT_WAIT";

/// The Python interpreter.
pub const PYTHON: &str = "FLOWC_PYTHON";
