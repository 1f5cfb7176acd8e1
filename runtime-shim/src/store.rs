//! The store: a local folder or a bucket, with create-only writes.
