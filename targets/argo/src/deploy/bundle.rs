//! From a bundle's files back to objects: what is sent is what was reviewed.

use flowc_target::BundleFile;
use flowc_target::deploy::DeployError;
use serde_json::Value;

use super::kind::Kind;

/// An object as a file of the bundle describes it.
#[derive(Clone, Debug)]
pub(super) struct Manifest {
    pub(super) kind: Kind,
    pub(super) namespace: String,
    pub(super) name: String,
    /// The whole object.
    pub(super) object: Value,
}

/// The objects of all files, in the order in which they are to be applied.
pub(super) fn manifests(files: &[BundleFile]) -> Result<Vec<Manifest>, DeployError> {
    let mut manifests = Vec::new();
    for file in files {
        for object in documents(&file.text).map_err(|help| refused(file, help))? {
            let manifest = manifest(object)
                .ok_or_else(|| refused(file, "it holds an object that flowc does not write"))?;
            manifests.push(manifest);
        }
    }
    manifests.sort_by_key(|manifest| Kind::ALL.iter().position(|kind| *kind == manifest.kind));
    Ok(manifests)
}

/// The documents of a YAML file that we wrote. Its limits on depth and number of nodes are far beyond [`crate`]'s own on size.
pub(super) fn documents(text: &str) -> Result<Vec<Value>, String> {
    serde_saphyr::from_multiple(text).map_err(|error| error.to_string())
}

fn manifest(object: Value) -> Option<Manifest> {
    let kind = Kind::parse(object["apiVersion"].as_str()?, object["kind"].as_str()?)?;
    let metadata = &object["metadata"];
    Some(Manifest {
        kind,
        namespace: metadata["namespace"].as_str()?.to_owned(),
        name: metadata["name"].as_str()?.to_owned(),
        object,
    })
}

fn refused(file: &BundleFile, help: impl Into<String>) -> DeployError {
    DeployError::Refused {
        object: file.path.clone(),
        help: help.into(),
    }
}
