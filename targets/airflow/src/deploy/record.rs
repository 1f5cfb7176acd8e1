//! What is kept of a deployment beside the DAG's file: who it was.
//!
//! It cannot be in the file, which holds exactly the bytes of the bundle. Airflow reads `.py` files and archives, so a
//! hidden JSON file beside it is nothing to it.

use flowc_target::deploy::{DeployError, Foreign};
use serde::{Deserialize, Serialize};

use crate::version;

/// The file's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Airflow's name of who deployed; absent where Airflow was not asked.
    #[serde(
        rename = "flowc.dev/deployed-by",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) owner: Option<String>,
    /// The flow's name.
    #[serde(rename = "flowc.dev/flow", default)]
    pub(super) flow: String,
}

/// Name of the file that belongs to a DAG's file.
pub(super) fn file_name(dag_id: &str) -> String {
    format!(".{dag_id}.flowc.json")
}

impl Record {
    /// Reads the file; what cannot be understood is no record.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

/// Whether the file that is there may be overwritten or removed.
///
/// `live` is its text, `record` what lies beside it, `me` who asks. A file of ours without a record was deployed without
/// Airflow's API, or its deployment was interrupted: it belongs to whoever comes.
pub(super) fn check_owner(
    object: &str,
    live: Option<&str>,
    record: Option<&Record>,
    me: Option<&str>,
    foreign: Foreign,
) -> Result<(), DeployError> {
    if foreign == Foreign::TakeOver {
        return Ok(());
    }
    let refuse = |owner: &str| {
        Err(DeployError::Foreign {
            object: object.to_owned(),
            owner: owner.to_owned(),
        })
    };
    if let Some(owner) = record.and_then(|record| record.owner.as_deref())
        && Some(owner) != me
    {
        return refuse(owner);
    }
    match live {
        Some(text) if version::of(text).is_none() => {
            refuse(match record {
                // Somebody's repair would be lost without a word.
                Some(_) => "flowc, and changed by hand since",
                None => "something other than flowc",
            })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(owner: Option<&str>) -> Record {
        Record {
            owner: owner.map(str::to_owned),
            flow: "F".to_owned(),
        }
    }

    #[test]
    fn a_record_reads_back() {
        for owner in [Some("ada"), None] {
            let record = record(owner);
            assert_eq!(Record::parse(&record.text()), Some(record));
        }
        assert_eq!(Record::parse("not json"), None);
    }

    #[test]
    fn only_the_owner_overwrites() {
        let ours = version::stamp(|version| format!("{version}\n"));
        let ada = record(Some("ada"));
        let nobody = record(None);
        let refused =
            |live: Option<&str>, record: Option<&Record>, me: Option<&str>| match check_owner(
                "x",
                live,
                record,
                me,
                Foreign::Refuse,
            ) {
                Err(DeployError::Foreign { owner, .. }) => Some(owner),
                other => {
                    other.unwrap();
                    None
                }
            };
        assert_eq!(refused(None, None, None), None);
        assert_eq!(refused(Some(&ours), None, Some("ada")), None);
        assert_eq!(refused(Some(&ours), Some(&ada), Some("ada")), None);
        assert_eq!(refused(Some(&ours), Some(&nobody), Some("bob")), None);
        assert_eq!(
            refused(Some(&ours), Some(&ada), Some("bob")).as_deref(),
            Some("ada")
        );
        assert_eq!(
            refused(None, Some(&ada), None).as_deref(),
            Some("ada"),
            "a name that was claimed before the file was written"
        );
        assert_eq!(
            refused(Some("x = 1"), None, Some("bob")).as_deref(),
            Some("something other than flowc")
        );
        assert!(refused(Some("x = 1"), Some(&ada), Some("ada")).is_some());
        check_owner("x", Some("x = 1"), Some(&ada), None, Foreign::TakeOver).unwrap();
    }
}
