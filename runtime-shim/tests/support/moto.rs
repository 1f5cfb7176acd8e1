//! Stores and shims on the AWS emulator.

use std::ops::Deref;
use std::process::Command;

use flowc_task::store::Store;
use flowc_tests::beds::moto;

/// A server with the bucket `flows`, and a work folder for shims.
pub struct Moto {
    server: moto::Moto,
    folder: tempfile::TempDir,
}

impl Moto {
    /// Starts it.
    pub fn start() -> Self {
        Self {
            server: moto::Moto::start(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// The folder `root` of a bucket.
    pub fn store(&self, bucket: &str) -> Store {
        open(&self.endpoint(), bucket)
    }

    /// The shim, about to run a step of a package that is in `s3://flows/root`.
    pub fn shim(&self, package: &str, step: &str) -> Command {
        let mut command = super::shim(self.folder.path(), package, step, "-");
        command
            .env("FLOWC_STORE", "s3://flows/root")
            .envs(self.environment());
        command
    }
}

impl Deref for Moto {
    type Target = moto::Moto;

    fn deref(&self) -> &moto::Moto {
        &self.server
    }
}

/// A bucket's folder `root` at an endpoint.
pub fn open(endpoint: &str, bucket: &str) -> Store {
    let settings = [
        ("aws_endpoint", endpoint),
        ("aws_access_key_id", "x"),
        ("aws_secret_access_key", "x"),
        ("aws_region", "us-east-1"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Store::open_with(&format!("s3://{bucket}/root"), &settings).unwrap()
}
