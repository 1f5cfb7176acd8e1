//! A store in a bucket of S3, GCS or Azure.
//!
//! With its parts the only module that sees `object_store`.

mod answer;
mod client;
mod signed;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, Error, MultipartUpload, ObjectMeta, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload,
};
use tokio::io::AsyncReadExt;

pub(crate) use answer::element;
use answer::{Meaning, describe, is_conflict, names_missing_bucket, says_exists};
use client::Patience;
pub use client::install_tls;
pub(crate) use signed::{Aws, Call, Lent};

use super::{Content, Encoding, Folder, Found, Put, StoreError, Visit};

/// Metaflow's metadata of a raw blob: name and value of the user attribute on S3.
/// Azure's names hold no hyphen, and Metaflow uses underscores there.
const RAW_VALUE: &str = r#"{"cas_raw": true, "cas_version": 1}"#;

/// Size of a part of an upload. At most 10 000 parts make an object (S3), so that 80 GB fit.
const PART: usize = 8 << 20;

/// Parts in flight; bounds the memory of an upload, whatever its size.
const PARTS_IN_FLIGHT: usize = 2;

#[derive(Clone)]
pub(super) struct ObjectStore {
    client: Arc<dyn object_store::ObjectStore>,
    kind: &'static str,
    patience: Patience,
    url: String,
    prefix: String,
    /// As given to `open`; they may hold credentials.
    settings: Arc<[(String, String)]>,
}

impl ObjectStore {
    pub(super) fn open(url: &str, settings: &[(String, String)]) -> Result<Self, StoreError> {
        Self::connect(url, settings, Patience::Task)
    }

    /// The same store for somebody who waits at a terminal.
    pub(super) fn impatient(&self) -> Result<Self, StoreError> {
        Self::connect(&self.url, &self.settings, Patience::Person)
    }

    fn connect(
        url: &str,
        settings: &[(String, String)],
        patience: Patience,
    ) -> Result<Self, StoreError> {
        install_tls();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let refuse = |reason: String| StoreError::Url {
            url: url.to_owned(),
            reason,
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(refuse("the bucket's name is missing".to_owned()));
        }
        let failed = |error: Error| refuse(describe(&error));
        let options = client::options(patience).map_err(refuse)?;
        let (client, kind): (Arc<dyn object_store::ObjectStore>, _) = match scheme {
            "s3" | "s3a" => {
                let mut builder = AmazonS3Builder::from_env()
                    .with_bucket_name(bucket)
                    .with_client_options(options)
                    .with_retry(patience.retries());
                for (name, value) in settings {
                    let name = name.parse().map_err(failed)?;
                    builder = builder.with_config(name, value);
                }
                (Arc::new(builder.build().map_err(failed)?), "s3")
            }
            "gs" => {
                let mut builder = GoogleCloudStorageBuilder::from_env()
                    .with_bucket_name(bucket)
                    .with_client_options(options)
                    .with_retry(patience.retries());
                for (name, value) in settings {
                    let name = name.parse().map_err(failed)?;
                    builder = builder.with_config(name, value);
                }
                (Arc::new(builder.build().map_err(failed)?), "gs")
            }
            "az" | "azure" => {
                let mut builder = MicrosoftAzureBuilder::from_env()
                    .with_container_name(bucket)
                    .with_client_options(options)
                    .with_retry(patience.retries());
                for (name, value) in settings {
                    let name = name.parse().map_err(failed)?;
                    builder = builder.with_config(name, value);
                }
                (Arc::new(builder.build().map_err(failed)?), "azure")
            }
            other => {
                return Err(refuse(format!(
                    "`{other}` is not known; use `s3://`, `gs://`, `az://` or a folder"
                )));
            }
        };
        Ok(Self {
            client,
            kind,
            patience,
            url: url.trim_end_matches('/').to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            settings: settings.into(),
        })
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }

    pub(super) async fn get(&self, key: &str) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(key)?;
        let answer = async { self.client.get(&path).await?.bytes().await };
        self.found(key, answer.await)
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Content>, StoreError> {
        let path = self.path(key)?;
        let Some(answer) = self.found(key, self.client.get(&path).await)? else {
            return Ok(None);
        };
        let (store, key) = (self.clone(), key.to_owned());
        let pieces = answer
            .into_stream()
            .map(move |piece| piece.map_err(|error| store.failed(&key, &error)));
        Ok(Some(Content::Stream(pieces.boxed())))
    }

    pub(super) async fn exists(&self, key: &str) -> Result<bool, StoreError> {
        let path = self.path(key)?;
        Ok(self.found(key, self.client.head(&path).await)?.is_some())
    }

    pub(super) async fn put(&self, key: &str, bytes: Vec<Bytes>) -> Result<(), StoreError> {
        let payload = bytes.into_iter().collect();
        self.write(key, payload, PutOptions::default()).await?;
        Ok(())
    }

    pub(super) async fn put_new(&self, key: &str, bytes: Bytes) -> Result<Put, StoreError> {
        self.create(key, bytes.into(), Attributes::new()).await
    }

    pub(super) async fn put_file_new(
        &self,
        key: &str,
        file: &Path,
        encoding: Encoding,
    ) -> Result<Put, StoreError> {
        let unreadable =
            |error: std::io::Error| StoreError::from_io(file.display().to_string(), &error);
        let attributes = self.attributes(encoding);
        let mut input = tokio::fs::File::open(file).await.map_err(unreadable)?;
        let size = input.metadata().await.map_err(unreadable)?.len();
        if size <= PART as u64 {
            let mut bytes = Vec::with_capacity(size as usize);
            input.read_to_end(&mut bytes).await.map_err(unreadable)?;
            return self.create(key, bytes.into(), attributes).await;
        }
        // An upload in parts cannot be create-only everywhere; blobs are named by their content, so that replacing one
        // by another changes nothing, and asking first saves the bytes.
        if self.exists(key).await? {
            return Ok(Put::Existed);
        }
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let path = self.path(key)?;
        let mut upload = self
            .client
            .put_multipart_opts(&path, options)
            .await
            .map_err(|error| self.failed(key, &error))?;
        match self.send_parts(key, &mut *upload, input, file).await {
            Ok(()) => Ok(Put::Created),
            Err(error) => {
                // The first error is the one to tell; what stays open is for the bucket's lifecycle rule.
                let _ = upload.abort().await;
                Err(error)
            }
        }
    }

    async fn send_parts(
        &self,
        key: &str,
        upload: &mut dyn MultipartUpload,
        mut input: tokio::fs::File,
        file: &Path,
    ) -> Result<(), StoreError> {
        let mut parts = futures::stream::FuturesUnordered::new();
        loop {
            let mut part = Vec::with_capacity(PART);
            (&mut input)
                .take(PART as u64)
                .read_to_end(&mut part)
                .await
                .map_err(|error| StoreError::from_io(file.display().to_string(), &error))?;
            if part.is_empty() {
                break;
            }
            parts.push(upload.put_part(part.into()));
            if parts.len() >= PARTS_IN_FLIGHT
                && let Some(Err(error)) = parts.next().await
            {
                return Err(self.failed(key, &error));
            }
        }
        while let Some(done) = parts.next().await {
            done.map_err(|error| self.failed(key, &error))?;
        }
        drop(parts);
        upload
            .complete()
            .await
            .map_err(|error| self.failed(key, &error))?;
        Ok(())
    }

    pub(super) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let path = self.path(key)?;
        self.found(key, self.client.delete(&path).await)?;
        Ok(())
    }

    pub(super) async fn remove(&self, key: &str) {
        if let Ok(path) = self.path(key) {
            // Roles without the right to delete are common; the probe's few bytes then stay.
            let _ = self.client.delete(&path).await;
        }
    }

    pub(super) async fn list(&self, prefix: &str) -> Result<Folder, StoreError> {
        let path = self.folder(prefix)?;
        let result = self.client.list_with_delimiter(path.as_ref()).await;
        let listed = result.map_err(|error| self.failed(prefix, &error))?;
        let folders = listed.common_prefixes.iter();
        Ok(Folder {
            folders: folders
                .filter_map(|path| Some(path.filename()?.to_owned()))
                .collect(),
            keys: listed
                .objects
                .iter()
                .map(|object| self.found_key(object))
                .collect(),
        })
    }

    pub(super) async fn walk(&self, prefix: &str, visit: Visit<'_>) -> Result<(), StoreError> {
        let path = self.folder(prefix)?;
        let mut objects = self.client.list(path.as_ref());
        while let Some(object) = objects.next().await {
            visit(self.found_key(&object.map_err(|error| self.failed(prefix, &error))?));
        }
        Ok(())
    }

    /// The path to list below; `None` for the whole bucket.
    fn folder(&self, prefix: &str) -> Result<Option<ObjectPath>, StoreError> {
        match (prefix, self.prefix.as_str()) {
            ("", "") => Ok(None),
            ("", root) => ObjectPath::parse(root)
                .map(Some)
                .map_err(|error| StoreError::Url {
                    url: self.url.clone(),
                    reason: error.to_string(),
                }),
            (prefix, _) => self.path(prefix).map(Some),
        }
    }

    fn found_key(&self, object: &ObjectMeta) -> Found {
        let full = object.location.as_ref();
        let below = full.strip_prefix(&self.prefix).unwrap_or(full);
        Found {
            key: below.trim_start_matches('/').to_owned(),
            size: object.size,
            modified_ms: u64::try_from(object.last_modified.timestamp_millis()).unwrap_or_default(),
        }
    }

    async fn create(
        &self,
        key: &str,
        payload: PutPayload,
        attributes: Attributes,
    ) -> Result<Put, StoreError> {
        let options = PutOptions {
            mode: PutMode::Create,
            attributes,
            ..PutOptions::default()
        };
        self.write(key, payload, options).await
    }

    async fn write(
        &self,
        key: &str,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<Put, StoreError> {
        let path = self.path(key)?;
        let is_new = options.mode == PutMode::Create;
        let mut pauses = self.patience.pauses();
        loop {
            let put = self
                .client
                .put_opts(&path, payload.clone(), options.clone())
                .await;
            let Err(error) = put else {
                return Ok(Put::Created);
            };
            if is_new && says_exists(&error) {
                return Ok(Put::Existed);
            }
            if !is_conflict(&error) {
                return Err(self.failed(key, &error));
            }
            // While two write the same key, S3 may answer one with a conflict before the other is done, and that one
            // may fail. Only looking tells whether the key is there.
            if is_new && self.exists(key).await? {
                return Ok(Put::Existed);
            }
            let Some(pause) = pauses.next() else {
                return Err(self.failed(key, &error));
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Copies a key to another and removes it, where that is allowed.
    pub(super) async fn rename(&self, key: &str, to: &str) -> Result<(), StoreError> {
        let (from, to_path) = (self.path(key)?, self.path(to)?);
        let copied = self.client.copy(&from, &to_path).await;
        copied.map_err(|error| self.failed(key, &error))?;
        let removed = self.client.delete(&from).await;
        removed.map_err(|error| self.failed(key, &error))
    }

    fn attributes(&self, encoding: Encoding) -> Attributes {
        let mut attributes = Attributes::new();
        if encoding == Encoding::Raw {
            let name = match self.kind {
                "azure" => "metaflow_user_attributes",
                _ => "metaflow-user-attributes",
            };
            attributes.insert(Attribute::Metadata(name.into()), RAW_VALUE.into());
        }
        attributes
    }

    fn path(&self, key: &str) -> Result<ObjectPath, StoreError> {
        let full = match self.prefix.as_str() {
            "" => key.to_owned(),
            prefix => format!("{prefix}/{key}"),
        };
        ObjectPath::parse(&full).map_err(|error| StoreError::Url {
            url: format!("{}/{key}", self.url),
            reason: error.to_string(),
        })
    }

    fn found<T>(&self, key: &str, answer: Result<T, Error>) -> Result<Option<T>, StoreError> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error @ Error::NotFound { .. }) if !names_missing_bucket(&error) => Ok(None),
            Err(error) => Err(self.failed(key, &error)),
        }
    }

    fn failed(&self, key: &str, error: &Error) -> StoreError {
        let object = format!("{}/{key}", self.url);
        let url = self.url.clone();
        let detail = describe(error);
        match Meaning::of(error) {
            Meaning::NoBucket => StoreError::NoBucket { url, detail },
            Meaning::OtherRegion => StoreError::Region { url, detail },
            Meaning::Denied => StoreError::Denied { object, detail },
            Meaning::WrongClock => StoreError::Clock { object, detail },
            Meaning::Lasting => StoreError::Unusable {
                object,
                hint: "the store does not take such a request",
                detail,
            },
            Meaning::Passing => StoreError::Unavailable { object, detail },
        }
    }
}
