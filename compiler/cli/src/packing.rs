//! From a flow's folder to its code package, and what is worth knowing of it: modules that it lacks, links that lead out.

use std::fs;
use std::io;

use anyhow::Context;
use flowc_core::diag::{Code, Diagnostic, Severity};
use flowc_core::source::{SourceTree, Span};
use flowc_protocol::manifest::Manifest;
use flowc_protocol::package::{FILES_MAX, SIZE_MAX};
use flowc_target::Profile;
use flowc_target::literal::as_text;
use flowc_target::package::{self, Package, PackageFile, Selection};
use flowc_target::profile::Config;
use indexmap::IndexMap;

use crate::load::{self, Compilation};
use crate::modules::Search;
use crate::tree::{self, Link, TooMany, Tree};

/// A code package and where it came from.
pub(crate) struct Packed {
    /// The package.
    pub(crate) package: Package,
    /// Links that led out of the flow's folder to some of it.
    pub(crate) links: Vec<Link>,
}

impl Compilation {
    /// Packs the flow's folder; `None` if it cannot be packed, which is among the diagnostics.
    pub(crate) fn pack(
        &mut self,
        config: &Config,
        profile: &Profile,
        manifest: &Manifest,
    ) -> anyhow::Result<Option<Packed>> {
        let selection = self.selection(config)?;
        let tree = match self.walk(&selection) {
            Ok(tree) => tree,
            Err(error) => {
                let too_many = error.downcast::<TooMany>()?;
                self.diagnostics.push(too_large(&too_many.to_string()));
                return Ok(None);
            }
        };
        let mut missing = self.included_files();
        let included: Vec<String> = missing.iter().map(|(_, path, _)| path.clone()).collect();
        missing.retain(|(_, path, _)| tree.files.iter().all(|file| file.path != *path));
        for (name, path, span) in &missing {
            let message = format!("`{path}` of the parameter `{name}` cannot be packaged");
            let label = "there is no such file below the flow's folder";
            let finding = Diagnostic::error(Code::FC0029, message, *span, label)
                .help("put the file beside the flow, and name it by its path from there");
            self.diagnostics.push(finding);
        }
        let takes = |path: &str| included.iter().any(|name| name == path) || selection.takes(path);
        let files = match read(&tree, takes)? {
            Ok(files) => files,
            Err(finding) => {
                self.diagnostics.push(finding);
                return Ok(None);
            }
        };
        if !missing.is_empty() {
            return Ok(None);
        }
        let around = Search::find(&self.argument().root(), profile)?;
        let lacking = around.lacking(&mut self.tree, &files, &manifest.file);
        self.diagnostics.extend(lacking);
        let plan = serde_json::to_vec(manifest).context("cannot write plan.json")?;
        Ok(Some(Packed {
            package: package::pack(files, &plan)?,
            links: tree.links_out(takes),
        }))
    }

    /// The links that lead out of the flow's folder to what would be packaged; none where that cannot be told.
    pub(crate) fn links_out(&self) -> Vec<Link> {
        // Mistakes in it are for those who choose a profile.
        let config = load::settings_at(&self.argument().root(), &mut SourceTree::default());
        let found = config.and_then(|(config, _)| {
            let selection = self.selection(&config)?;
            let tree = self.walk(&selection)?;
            Ok(tree.links_out(|path| selection.takes(path)))
        });
        found.unwrap_or_default()
    }

    fn selection(&self, config: &Config) -> anyhow::Result<Selection> {
        let path = self.argument().root().join(package::IGNORE_FILE);
        let ignore = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let include = config.include.iter().map(|pattern| pattern.value.as_str());
        Ok(Selection::new(include, &ignore))
    }

    fn walk(&self, selection: &Selection) -> anyhow::Result<Tree> {
        let enter =
            |path: &str, names: &[String]| selection.enters(path, names.iter().map(String::as_str));
        tree::walk(&self.argument().root(), &enter)
    }

    /// The files that are defaults of `IncludeFile`: the parameter, the path below the root, and where it is written.
    fn included_files(&self) -> Vec<(String, String, Span)> {
        let parameters = self.plan.iter().flat_map(|plan| &plan.parameters);
        let files = parameters.filter(|parameter| parameter.file);
        let named = files.filter_map(|parameter| {
            let path = as_text(parameter.default.as_ref()?)?;
            let path = path.strip_prefix("./").unwrap_or(path);
            Some((parameter.name.clone(), path.to_owned(), parameter.span))
        });
        named.collect()
    }
}

/// The links, as a warning; `None` if there are none.
pub(crate) fn leading_out(links: &[Link]) -> Option<Diagnostic> {
    let message = match links {
        [] => return None,
        [_] => "a link leads out of the flow's folder".to_owned(),
        many => format!("{} links lead out of the flow's folder", many.len()),
    };
    let finding = Diagnostic::new(Code::FC0313, Severity::Warning, message);
    let shown = links
        .iter()
        .map(|link| format!("`{}` leads to {}", link.path, link.target.display()));
    let finding = shown.fold(finding, Diagnostic::note);
    Some(finding.help(format!(
        "what a link leads to is copied into the code package; name in `{}` what is not needed",
        package::IGNORE_FILE
    )))
}

/// Reads the files that go into the package, or says that they are too many or too large.
fn read(
    tree: &Tree,
    takes: impl Fn(&str) -> bool,
) -> anyhow::Result<Result<Vec<PackageFile>, Diagnostic>> {
    let chosen: Vec<_> = tree.files.iter().filter(|file| takes(&file.path)).collect();
    let paths = || chosen.iter().map(|file| file.path.as_str());
    if chosen.len() >= FILES_MAX {
        let message = format!(
            "it would hold {} files, more than {FILES_MAX}",
            chosen.len()
        );
        let counted = paths().map(|path| (path, 1));
        return Ok(Err(too_large(&message).note(largest(counted, "files"))));
    }
    let mut files = Vec::with_capacity(chosen.len());
    let mut sizes = Vec::with_capacity(chosen.len());
    let mut size = 0;
    for file in &chosen {
        let cannot = || format!("cannot read {}", file.place.display());
        let length = fs::metadata(&file.place).with_context(cannot)?.len();
        size += package::size_of(length);
        sizes.push(length);
        if size > SIZE_MAX {
            let message = format!("it would be larger than {} GiB", SIZE_MAX >> 30);
            let measured = paths().zip(sizes);
            return Ok(Err(too_large(&message).note(largest(measured, "bytes"))));
        }
        files.push(PackageFile {
            path: file.path.clone(),
            bytes: fs::read(&file.place).with_context(cannot)?,
            executable: file.executable,
        });
    }
    Ok(Ok(files))
}

fn too_large(why: &str) -> Diagnostic {
    let message = format!("the code package is too large: {why}");
    Diagnostic::new(Code::FC0312, Severity::Error, message).help(format!(
        "name folders that are not needed in `{}`, or put the flow into a folder of its own",
        package::IGNORE_FILE
    ))
}

/// Which entry of the flow's folder makes up the most.
fn largest<'a>(parts: impl Iterator<Item = (&'a str, u64)>, unit: &str) -> String {
    let mut sums: IndexMap<&str, u64> = IndexMap::new();
    for (path, amount) in parts {
        let top = path.split('/').next().unwrap_or_default();
        *sums.entry(top).or_default() += amount;
    }
    let most = sums.into_iter().max_by_key(|(_, sum)| *sum);
    let (name, sum) = most.unwrap_or_default();
    format!("the largest part is `{name}`: {sum} {unit}")
}
