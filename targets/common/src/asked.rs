//! The arguments of a decorator that says how a target runs a step, as the target reads them.

use flowc_core::diag::{Code, Diagnostic, Diagnostics};
use flowc_core::ir::flow::Literal;
use flowc_core::ir::plan::{Attributes, PlanStep};
use flowc_core::source::Span;
use indexmap::IndexMap;

use crate::literal::as_text;

/// Where Metaflow mounts a file system in memory.
const TMPFS_PATH: &str = "/metaflow_temp";

/// What `current.tempdir` looks at.
pub const TEMPDIR: &str = "METAFLOW_TEMPDIR";

/// Where the volume with the shim is mounted, and the shim of an image.
const OURS: [&str; 2] = ["/flowc", "/flowc-shim"];

/// A file system in memory, which counts as the container's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tmpfs {
    /// Size, MiB.
    pub size_mib: u32,
    /// Where it is mounted.
    pub path: String,
    /// Whether it is `current.tempdir`.
    pub is_tempdir: bool,
}

/// `@batch` or `@kubernetes` of a step; without it nothing is asked.
#[derive(Debug)]
pub struct Asked<'a> {
    decorator: &'static str,
    written: Option<&'a Attributes>,
    step: Span,
    /// Name of the target, for findings.
    pub target: &'static str,
    /// Findings so far.
    pub found: &'a mut Diagnostics,
}

impl<'a> Asked<'a> {
    /// The arguments of `decorator`, which is `batch` or `kubernetes`.
    pub fn new(
        decorator: &'static str,
        step: &'a PlanStep,
        target: &'static str,
        found: &'a mut Diagnostics,
    ) -> Self {
        let written = match decorator {
            "batch" => step.batch.as_ref(),
            _ => step.kubernetes.as_ref(),
        };
        Self {
            decorator,
            written,
            step: step.span,
            target,
            found,
        }
    }

    /// What is given; `None` is how an author says that an argument is not given.
    pub fn value(&self, name: &str) -> Option<&'a Literal> {
        let (value, _) = self.written?.values.get(name)?;
        (*value != Literal::None).then_some(value)
    }

    /// Where it is given.
    pub fn span(&self, name: &str) -> Option<Span> {
        let (_, span) = self.written?.values.get(name)?;
        Some(*span)
    }

    /// Where it is given, else the step.
    pub fn place(&self, name: &str) -> Span {
        self.span(name).unwrap_or(self.step)
    }

    /// Reports FC0308: the target cannot take the value.
    pub fn refuse(&mut self, name: &str, label: &str) {
        let (target, decorator) = (self.target, self.decorator);
        let message = format!("{target} cannot use this `{name}` of `@{decorator}`");
        let finding = Diagnostic::error(Code::FC0308, message, self.place(name), label);
        self.found.push(finding);
    }

    /// A text.
    pub fn text(&self, name: &str) -> Option<String> {
        as_text(self.value(name)?).map(str::to_owned)
    }

    /// A text that must be of a certain form; `label` says what it is not.
    pub fn checked(&mut self, name: &str, holds: fn(&str) -> bool, label: &str) -> Option<String> {
        let text = self.text(name)?;
        if holds(&text) {
            return Some(text);
        }
        self.refuse(name, label);
        None
    }

    /// A whole number, which Metaflow takes as a text too.
    pub fn whole(&self, name: &str) -> Option<i64> {
        whole(self.value(name)?)
    }

    /// True or false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        if let Literal::Bool(value) = self.value(name)? {
            Some(*value)
        } else {
            None
        }
    }

    /// One text or a list of texts.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let list = match self.value(name) {
            Some(Literal::List(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        list.iter().filter_map(as_text).map(str::to_owned).collect()
    }

    /// A dictionary of texts.
    pub fn dictionary(&self, name: &str) -> IndexMap<String, String> {
        let Some(Literal::Dict(members)) = self.value(name) else {
            return IndexMap::new();
        };
        let texts = members
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), as_text(value)?.to_owned())));
        texts.collect()
    }

    /// As in Metaflow a size is enough, and half of the memory is the default.
    pub fn tmpfs(&mut self, memory_mib: u32) -> Option<Tmpfs> {
        let size = self.whole("tmpfs_size");
        let size = size.and_then(|size| size.try_into().ok());
        if size.is_none() && self.flag("use_tmpfs") != Some(true) {
            return None;
        }
        let path = match self.value("tmpfs_path") {
            Some(_) => self.checked("tmpfs_path", is_mount_path, NO_MOUNT)?,
            None => TMPFS_PATH.to_owned(),
        };
        Some(Tmpfs {
            size_mib: size.unwrap_or(memory_mib / 2),
            path,
            is_tempdir: self.flag("tmpfs_tempdir") != Some(false),
        })
    }
}

/// What is said of a path that [`is_mount_path`] refuses.
pub const NO_MOUNT: &str = "not a folder on which a volume can be mounted";

/// A folder on which a volume may be mounted: absolute, without `..` and `:`, and neither above nor below our own.
pub fn is_mount_path(path: &str) -> bool {
    let legal = |c: char| !c.is_control() && !"{}:$".contains(c);
    let inner = path.trim_end_matches('/');
    path.len() <= 512
        && path.starts_with('/')
        && path.chars().all(legal)
        && !path.split('/').any(|part| part == "..")
        && !inner.is_empty()
        && !OURS.iter().any(|ours| {
            let below = inner.strip_prefix(ours);
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

/// A whole number, or a text that holds one.
pub(crate) fn whole(value: &Literal) -> Option<i64> {
    if let Literal::Int(number) = value {
        return Some(*number);
    }
    as_text(value)?.trim().parse().ok()
}
