//! The store's URL, taken apart.

use flowc_core::diag::{Code, Diagnostic};

use super::Profile;

/// A store that a container can reach: `s3://bucket/prefix`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteStore<'a> {
    /// `s3`, `gs` or `az`.
    pub scheme: &'a str,
    /// Bucket or container.
    pub bucket: &'a str,
    /// Without slashes at its ends; may be empty.
    pub prefix: &'a str,
}

impl<'a> RemoteStore<'a> {
    /// Takes a URL apart; `None` if it is none of a known scheme or holds characters outside `[A-Za-z0-9._~/@+=-]`.
    pub fn parse(url: &'a str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let legal = |c: char| c.is_ascii_alphanumeric() || "._~/@+=-".contains(c);
        let bucket_legal = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        let known = matches!(scheme, "s3" | "gs" | "az");
        let plain =
            prefix.split('/').all(|part| !matches!(part, "." | "..")) && !prefix.contains("//");
        let named = bucket.len() >= 3 && bucket.chars().all(bucket_legal);
        (known && named && plain && prefix.chars().all(legal)).then_some(Self {
            scheme,
            bucket,
            prefix,
        })
    }

    /// The key in the bucket of an object whose key below the store's root is given.
    pub fn key(&self, below_root: &str) -> String {
        if self.prefix.is_empty() {
            below_root.to_owned()
        } else {
            format!("{}/{below_root}", self.prefix)
        }
    }
}

impl Profile {
    /// The store, if the target can use it: its scheme is one of `schemes`.
    pub fn remote_store(
        &self,
        target: &str,
        schemes: &[&str],
    ) -> Result<RemoteStore<'_>, Box<Diagnostic>> {
        let wanted = || {
            let urls: Vec<_> = schemes
                .iter()
                .map(|scheme| format!("`{scheme}://…`"))
                .collect();
            urls.join(" or ")
        };
        RemoteStore::parse(&self.store)
            .filter(|store| schemes.contains(&store.scheme))
            .ok_or_else(|| {
                let error = self
                    .store
                    .error(
                        Code::FC0304,
                        format!("{target} cannot use the store `{}`", *self.store),
                        "not a store that its tasks can reach",
                    )
                    .help(format!(
                        "set `store` of profile `{}` to {}",
                        self.name,
                        wanted()
                    ));
                Box::new(error)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let store = RemoteStore::parse("s3://bucket/a/b/").unwrap();
        assert_eq!((store.bucket, store.prefix), ("bucket", "a/b"));
        assert_eq!(store.key("F/x"), "a/b/F/x");
        assert_eq!(RemoteStore::parse("gs://bucket").unwrap().key("F"), "F");
        for url in [
            "s3://b",
            "s3://bucket/{x}",
            "s3://bucket/a b",
            "s3://bucket/../x",
            "file:///x",
            "x",
        ] {
            assert_eq!(RemoteStore::parse(url), None, "{url}");
        }
    }

    #[test]
    fn a_store_that_tasks_cannot_reach_is_refused() {
        let profile = Profile {
            store: "./folder".into(),
            ..Profile::default()
        };
        let error = profile.remote_store("argo", &["s3", "gs"]).unwrap_err();
        assert_eq!(error.code, Code::FC0304);
        assert!(error.help.unwrap().contains("`s3://…` or `gs://…`"));
        assert!(Profile::default().remote_store("argo", &["s3"]).is_ok());
        assert!(Profile::default().remote_store("argo", &["gs"]).is_err());
    }
}
