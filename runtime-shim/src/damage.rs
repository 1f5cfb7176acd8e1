//! What is done with an object that is proven to be damaged: it is set aside under a name that no reader takes, and never
//! deleted, so that what wrote it can write it again.
//!
//! Proven means: it was read twice, and both times its bytes had not the digest of its name or could not be parsed.
//! A store that does not answer, or refuses, proves nothing.

use crate::store::{Store, StoreError};

/// What the names of objects that were set aside begin with, in the folder where they lay.
const PREFIX: &str = "damaged-";

/// Moves a damaged object aside; its name there. Errors tell why it could not be moved.
pub(crate) async fn move_aside(store: &Store, key: &str) -> Result<String, StoreError> {
    let aside = aside(key);
    store.rename(key, &aside).await?;
    Ok(aside)
}

/// A name in the same folder. The listing of runs takes names that begin with a number, and `commit`; blobs are found by
/// their digests alone.
fn aside(key: &str) -> String {
    let (folder, name) = key.rsplit_once('/').unwrap_or(("", key));
    let salt = uuid::Uuid::new_v4().simple().to_string();
    let salt = &salt[..8];
    let separator = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{separator}{PREFIX}{salt}.{name}")
}

/// What to say of an object that was found damaged, once it was or was not moved.
pub(crate) fn tell(
    store: &Store,
    key: &str,
    detail: &str,
    moved: &Result<String, StoreError>,
) -> StoreError {
    let object = store.locate(key);
    let detail = match moved {
        Ok(aside) => format!(
            "{detail}; it was set aside as {}, and what wrote it can run again: `flowc resume` does that",
            store.locate(aside)
        ),
        Err(error) => format!(
            "{detail}; it could not be set aside: {error}; give it another name, and what wrote it can run again: `flowc resume` does that"
        ),
    };
    StoreError::Corrupt { object, detail }
}

/// An object that was good when it was looked at once more: somebody wrote it anew, and gets it back.
pub(crate) async fn give_back(store: &Store, key: &str, aside: &str) -> StoreError {
    let object = store.locate(key);
    match store.rename(aside, key).await {
        Ok(()) => StoreError::Unavailable {
            object,
            detail: "it was written anew while it was read".to_owned(),
        },
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_one_that_no_reader_takes() {
        let name = aside("F/17/train/t-3/commit");
        let (folder, name) = name.rsplit_once('/').unwrap();
        assert_eq!(folder, "F/17/train/t-3");
        assert!(
            name.starts_with(PREFIX) && name.ends_with(".commit"),
            "{name}"
        );
        assert_ne!(aside("k"), aside("k"));
        assert!(!aside("k").contains('/'));
    }
}
