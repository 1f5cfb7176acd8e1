//! What a step asks of its job by `@batch`, typed and checked.
//!
//! Forms and defaults as in Metaflow's `plugins/aws/batch/batch_client.py`, read at 2.19.39, for jobs on EC2.

use flowc_core::diag::Diagnostics;
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::PlanStep;
use flowc_target::asked::{Asked, NO_MOUNT, Tmpfs, is_mount_path};
use flowc_target::profile;
use indexmap::IndexMap;

use crate::definition::{Device, Efs, Host, LogConfiguration, MountPoint, Volume};

/// Attributes that [`read`] knows, besides the amounts that are the plan's.
pub(crate) const ATTRIBUTES: &[&str] = &[
    "image",
    "queue",
    "iam_role",
    "execution_role",
    "max_swap",
    "swappiness",
    "inferentia",
    "trainium",
    "efa",
    "host_volumes",
    "efs_volumes",
    "use_tmpfs",
    "tmpfs_tempdir",
    "tmpfs_size",
    "tmpfs_path",
    "aws_batch_tags",
    "log_driver",
    "log_options",
    "executable",
    "privileged",
];

/// `RegisterJobDefinition`, `LogConfiguration`.
const LOG_DRIVERS: &[&str] = &[
    "awsfirelens",
    "awslogs",
    "fluentd",
    "gelf",
    "journald",
    "json-file",
    "logentries",
    "splunk",
    "syslog",
];

/// What Batch uses when no driver is named.
const LOG_DRIVER: &str = "awslogs";

/// Most devices of a kind that an instance has: `trn1.32xlarge` has 16 of Neuron, `p5.48xlarge` 32 network interfaces.
const DEVICES_MAX: i64 = 32;

/// Longest key and value of a tag (Tagging of AWS resources).
const TAG_MAX: (usize, usize) = (128, 256);

/// Whether a step says itself what the profile says for the others.
pub(crate) fn names(step: &PlanStep, attribute: &str) -> bool {
    let written = step
        .batch
        .as_ref()
        .and_then(|batch| batch.values.get(attribute));
    written.is_some_and(|(value, _)| *value != Literal::None)
}

/// A step's wishes; what it says nothing about is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) image: Option<String>,
    pub(crate) iam_role: Option<String>,
    pub(crate) execution_role: Option<String>,
    pub(crate) max_swap: Option<i64>,
    pub(crate) swappiness: Option<i64>,
    pub(crate) devices: Vec<Device>,
    pub(crate) volumes: Vec<Volume>,
    pub(crate) mount_points: Vec<MountPoint>,
    pub(crate) tmpfs: Option<Tmpfs>,
    pub(crate) tags: IndexMap<String, String>,
    pub(crate) log: Option<LogConfiguration>,
    pub(crate) executable: Option<String>,
    pub(crate) privileged: bool,
}

/// What the step asks for; what Batch would refuse is reported and left out.
pub(crate) fn read(step: &PlanStep, found: &mut Diagnostics) -> Batch {
    let mut reader = Reader {
        asked: asked(step, found),
        batch: Batch::default(),
    };
    reader.batch = Batch {
        image: reader.checked("image", profile::is_image),
        iam_role: reader.checked("iam_role", profile::is_role_arn),
        execution_role: reader.checked("execution_role", profile::is_role_arn),
        max_swap: reader.asked.whole("max_swap"),
        swappiness: reader.asked.whole("swappiness"),
        tmpfs: reader.asked.tmpfs(step.resources.memory_mib),
        executable: reader.asked.text("executable"),
        privileged: reader.asked.flag("privileged") == Some(true),
        ..Batch::default()
    };
    reader.devices();
    reader.host_volumes();
    reader.efs_volumes();
    reader.distinct_paths();
    reader.tags();
    reader.log();
    reader.batch
}

/// The queue that a step names itself.
pub(crate) fn queue(step: &PlanStep, found: &mut Diagnostics) -> Option<String> {
    asked(step, found).checked("queue", profile::is_job_queue, NOT_TAKEN)
}

const NOT_TAKEN: &str = "not of the form that Batch takes";

fn asked<'a>(step: &'a PlanStep, found: &'a mut Diagnostics) -> Asked<'a> {
    Asked::new("batch", step, "step-functions", found)
}

struct Reader<'a> {
    asked: Asked<'a>,
    batch: Batch,
}

impl Reader<'_> {
    fn checked(&mut self, name: &str, holds: fn(&str) -> bool) -> Option<String> {
        self.asked.checked(name, holds, NOT_TAKEN)
    }

    /// Chips for inference and training, which Metaflow counts as one, and adapters of the elastic fabric.
    fn devices(&mut self) {
        if self.count("inferentia") > 0 && self.count("trainium") > 0 {
            let label = "`inferentia` means the same devices; give one of the two";
            self.asked.refuse("trainium", label);
        }
        let neuron = self.count("inferentia").max(self.count("trainium"));
        let kinds = [
            ("/dev/neuron", neuron, &["READ", "WRITE"][..]),
            (
                "/dev/infiniband/uverbs",
                self.count("efa"),
                &["READ", "WRITE", "MKNOD"],
            ),
        ];
        for (prefix, count, permissions) in kinds {
            self.batch.devices.extend((0..count).map(|number| {
                let path = format!("{prefix}{number}");
                Device {
                    host_path: path.clone(),
                    container_path: path,
                    permissions: permissions.iter().map(|&word| word.to_owned()).collect(),
                }
            }));
        }
    }

    fn count(&mut self, name: &str) -> i64 {
        let count = self.asked.whole(name).unwrap_or(0);
        if count > DEVICES_MAX {
            self.asked
                .refuse(name, &format!("no host has more than {DEVICES_MAX}"));
            return 0;
        }
        count
    }

    /// `HOST` or `HOST:CONTAINER`.
    fn host_volumes(&mut self) {
        for text in self.asked.texts("host_volumes") {
            let (host, container) = text.split_once(':').unwrap_or((&text, &text));
            if !is_mount_path(host) || !is_mount_path(container) {
                self.asked.refuse("host_volumes", NO_MOUNT);
                continue;
            }
            let volume = Volume {
                name: volume_name("host", host),
                host: Some(Host {
                    source_path: host.to_owned(),
                }),
                efs_volume_configuration: None,
            };
            self.mount(volume, container);
        }
    }

    /// `FILESYSTEM`, which is mounted below `/mnt`, or `FILESYSTEM:CONTAINER`.
    fn efs_volumes(&mut self) {
        for text in self.asked.texts("efs_volumes") {
            let below = format!("/mnt/{text}");
            let (id, container) = text.split_once(':').unwrap_or((&text, &below));
            if !is_file_system(id) {
                self.asked
                    .refuse("efs_volumes", "not the id of a file system: fs-…");
            } else if is_mount_path(container) {
                let volume = Volume {
                    name: volume_name("efs", id),
                    host: None,
                    efs_volume_configuration: Some(Efs {
                        file_system_id: id.to_owned(),
                        transit_encryption: "ENABLED".to_owned(),
                    }),
                };
                self.mount(volume, container);
            } else {
                self.asked.refuse("efs_volumes", NO_MOUNT);
            }
        }
    }

    fn mount(&mut self, volume: Volume, container: &str) {
        self.batch.mount_points.push(MountPoint {
            source_volume: volume.name.clone(),
            container_path: container.to_owned(),
        });
        // One volume may be mounted in several places.
        if !self.batch.volumes.contains(&volume) {
            self.batch.volumes.push(volume);
        }
    }

    fn distinct_paths(&mut self) {
        let mut taken: Vec<&str> = Vec::new();
        let tmpfs = self.batch.tmpfs.iter().map(|tmpfs| &*tmpfs.path);
        let mounted = self.batch.mount_points.iter().map(|it| &*it.container_path);
        for path in tmpfs.chain(mounted) {
            let path = path.trim_end_matches('/');
            if taken.contains(&path) {
                let names = ["host_volumes", "efs_volumes"];
                let name = names
                    .into_iter()
                    .find(|name| self.asked.span(name).is_some());
                let label = format!("something else is mounted on `{}`", path.escape_debug());
                self.asked.refuse(name.unwrap_or("tmpfs_path"), &label);
            }
            taken.push(path);
        }
    }

    fn tags(&mut self) {
        let tags = self.asked.dictionary("aws_batch_tags");
        if tags.iter().all(|(key, value)| is_tag(key, value)) {
            self.batch.tags = tags;
        } else {
            self.asked.refuse("aws_batch_tags", "not tags of AWS");
        }
    }

    /// Options are `NAME:VALUE`.
    fn log(&mut self) {
        let driver = self.asked.text("log_driver");
        let texts = self.asked.texts("log_options");
        if driver.is_none() && texts.is_empty() {
            return;
        }
        let driver = driver.unwrap_or_else(|| LOG_DRIVER.to_owned());
        if !LOG_DRIVERS.contains(&&*driver) {
            let label = format!("Batch takes {}", LOG_DRIVERS.join(", "));
            self.asked.refuse("log_driver", &label);
        }
        let options: Option<IndexMap<String, String>> = texts
            .iter()
            .map(|text| text.split_once(':'))
            .map(|pair| pair.map(|(name, value)| (name.to_owned(), value.to_owned())))
            .collect();
        if let Some(options) = options {
            self.batch.log = Some(LogConfiguration {
                log_driver: driver,
                options,
            });
        } else {
            self.asked
                .refuse("log_options", "not of the form NAME:VALUE");
        }
    }
}

/// Letters, digits, hyphens and underscores, up to 255 (`RegisterJobDefinition`, `Volume`).
fn volume_name(kind: &str, source: &str) -> String {
    let legal = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let name: String = source.chars().map(legal).collect();
    let digest = flowc_target::sha256_hex(source.as_bytes());
    let end = name.len().min(200);
    format!(
        "{kind}{}{}-{}",
        if name.starts_with('_') { "" } else { "_" },
        &name[..end],
        &digest[..8]
    )
}

/// `fs-` and 8 to 40 hexadecimal digits (EFS, `FileSystemId`).
fn is_file_system(id: &str) -> bool {
    let digits = id.strip_prefix("fs-").unwrap_or_default();
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    (8..=40).contains(&digits.len()) && digits.chars().all(hexadecimal)
}

/// Letters, digits, spaces and `_ . : / = + - @`; keys with `aws:` are Amazon's (Tagging of AWS resources).
fn is_tag(key: &str, value: &str) -> bool {
    let legal = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
    let (key_max, value_max) = TAG_MAX;
    (1..=key_max).contains(&key.chars().count())
        && value.chars().count() <= value_max
        && key.chars().chain(value.chars()).all(legal)
        && !key.to_ascii_lowercase().starts_with("aws:")
}
