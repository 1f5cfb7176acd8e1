//! The forms that Kubernetes' API server takes (pkg/apis/core/validation, read at 1.35).

use crate::profile;

/// Where the volume with the shim is mounted.
const OURS: &str = "/flowc";

/// A folder on which a volume may be mounted: absolute, without `..` and `:`, and neither above nor below our own.
pub(super) fn is_mount_path(path: &str) -> bool {
    let legal = |c: char| !c.is_control() && !"{}:$".contains(c);
    let inner = path.trim_end_matches('/');
    path.len() <= 512
        && path.starts_with('/')
        && path.chars().all(legal)
        && !path.split('/').any(|part| part == "..")
        && !inner.is_empty()
        && inner != OURS
        && !inner.starts_with(&format!("{OURS}/"))
}

/// Name of an extended resource: with a domain in front that is not Kubernetes' own.
pub(super) fn is_extended_resource(name: &str) -> bool {
    let Some((domain, _)) = name.split_once('/') else {
        return false;
    };
    let is_native = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
    profile::is_label_key(name) && !is_native && !name.starts_with("requests.")
}
