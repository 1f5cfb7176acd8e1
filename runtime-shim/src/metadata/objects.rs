//! The JSON objects of the tree, as Metaflow writes them.

use serde::Serialize;

/// `_self.json`.
#[derive(Serialize)]
pub(super) struct Myself<'a> {
    pub(super) flow_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) step_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) task_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tags: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_tags: Option<&'a [String]>,
    pub(super) ts_epoch: u64,
}

/// `sysmeta_<field>_<ms>.json`.
#[derive(Serialize)]
pub(super) struct Field<'a, V> {
    pub(super) flow_id: &'a str,
    pub(super) run_number: &'a str,
    pub(super) step_name: &'a str,
    pub(super) task_id: &'a str,
    #[serde(rename = "field_name")]
    pub(super) name: &'a str,
    #[serde(rename = "type")]
    pub(super) ty: &'a str,
    pub(super) value: V,
    pub(super) tags: &'a [String],
    pub(super) user_name: &'a str,
    pub(super) ts_epoch: u64,
}

/// `<N>_artifact_<name>.json`.
#[derive(Serialize)]
pub(super) struct Artifact<'a> {
    pub(super) run_number: &'a str,
    pub(super) step_name: &'a str,
    pub(super) task_id: &'a str,
    pub(super) attempt_id: u32,
    pub(super) name: &'a str,
    pub(super) content_type: &'a str,
    #[serde(rename = "type")]
    pub(super) ty: &'static str,
    pub(super) sha: &'a str,
    pub(super) ds_type: &'a str,
    pub(super) location: &'a str,
    pub(super) flow_id: &'a str,
    pub(super) user_name: &'a str,
    pub(super) tags: &'a [String],
    pub(super) system_tags: &'a [String],
    pub(super) ts_epoch: u64,
}
