//! Argo's manifests are read as YAML 1.1 and 1.2, and checked against Argo's types with unknown fields refused.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::slice;

use flowc_argo::Argo;
use flowc_tests::{repo_root, temp_dir};
use serde_json::Value;

use super::{assert_no_problems, bundles, feed, json, tool};

fn manifests(folder: &Path) -> Vec<PathBuf> {
    let files = bundles(&Argo, folder);
    let manifests: Vec<_> = files
        .into_iter()
        .map(|file| file.path)
        .filter(|path| path.extension().is_some_and(|ending| ending == "yaml"))
        .collect();
    assert!(manifests.len() > 5, "{manifests:?}");
    manifests
}

/// Reads the files by both readers of YAML.
fn read(paths: &[PathBuf]) -> Value {
    let mut command = Command::new(tool("lint"));
    command
        .arg(repo_root().join("tests/beds/lint/read_yaml.py"))
        .args(paths);
    json(feed(&mut command, ""))
}

/// The problems that the validators of Argo's Go types find.
fn by_types(objects: &Value) -> Value {
    let mut command = Command::new("node");
    command
        .arg(repo_root().join("tests/beds/argo/validate.mjs"))
        .arg(tool("npm").join("node_modules"));
    json(feed(&mut command, &objects.to_string()))
}

#[test]
fn no_scalar_depends_on_the_version_of_yaml() {
    let folder = temp_dir();
    assert_no_problems(&read(&manifests(folder.path()))["problems"]);
}

#[test]
fn argos_types_accept_the_manifests() {
    let folder = temp_dir();
    let read = read(&manifests(folder.path()));
    assert_no_problems(&by_types(&read["objects"]));
}

/// The full CRDs of one version, or of several in a folder each; `./dev test` runs this where `FLOWC_ARGO_CRDS` is set.
#[test]
#[ignore = "needs FLOWC_ARGO_CRDS, a folder of Argo's full CRDs"]
fn full_crds_accept_the_manifests() {
    let crds = env::var_os("FLOWC_ARGO_CRDS").map(PathBuf::from);
    let crds = crds.expect("FLOWC_ARGO_CRDS names a folder of Argo's full CRDs");
    let folder = temp_dir();
    let read = read(&manifests(folder.path()));
    let mut versions: Vec<PathBuf> = fs::read_dir(&crds)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .collect();
    versions.sort();
    if versions.is_empty() {
        versions.push(crds);
    }
    for version in versions {
        let mut command = Command::new(tool("lint"));
        command
            .arg(repo_root().join("tests/beds/argo/validate_crds.py"))
            .arg(&version);
        let problems = json(feed(&mut command, &read["objects"].to_string()));
        assert_no_problems(&problems);
    }
}

/// Checkers that accept everything would prove nothing.
#[test]
fn mistakes_are_found() {
    let folder = temp_dir();
    let template = manifests(folder.path())
        .into_iter()
        .find(|path| path.ends_with("workflow-template.yaml"))
        .unwrap();
    let text = fs::read_to_string(&template).unwrap();
    for (good, bad, expect) in [
        ("entrypoint:", "entripoint:", "unknown field"),
        ("spec:\n", "spec:\n  suspend: maybe\n", "boolean"),
    ] {
        assert!(text.contains(good), "{text}");
        fs::write(&template, text.replacen(good, bad, 1)).unwrap();
        let problems = by_types(&read(slice::from_ref(&template))["objects"]);
        assert!(problems.to_string().contains(expect), "{problems}");
    }
    for (plain, found) in [
        ("n", true),
        ("012", true),
        ("12:30", true),
        ("1e3", true),
        ("plain", false),
    ] {
        fs::write(&template, format!("key: {plain}\n")).unwrap();
        let problems = &read(slice::from_ref(&template))["problems"];
        assert_eq!(
            !problems.as_array().unwrap().is_empty(),
            found,
            "{plain}: {problems}"
        );
    }
}
