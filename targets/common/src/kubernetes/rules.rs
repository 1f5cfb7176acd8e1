//! The forms that Kubernetes' API server takes (pkg/apis/core/validation, read at 1.35).

use crate::profile;

/// Name of an extended resource: with a domain in front that is not Kubernetes' own.
pub(super) fn is_extended_resource(name: &str) -> bool {
    let Some((domain, _)) = name.split_once('/') else {
        return false;
    };
    let is_native = domain == "kubernetes.io" || domain.ends_with(".kubernetes.io");
    profile::is_label_key(name) && !is_native && !name.starts_with("requests.")
}
