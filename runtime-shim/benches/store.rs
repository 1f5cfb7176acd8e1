//! Putting blobs into a store and getting them out again, as a task does it, on a folder.
//!
//! Noise is stored as it is, text is compressed on all cores. A file that is put is written anew each time, outside of
//! what is measured.

#![allow(clippy::unwrap_used, reason = "a bench ends by panicking")]

use std::cell::Cell;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flowc_protocol::known::key_of;
use flowc_task::cas::{Blobs, Loaded};
use flowc_task::store::{Put, Store};
use tokio::runtime::Runtime;

/// Small blobs travel in frames.
const SMALL: [usize; 2] = [1 << 10, 64 << 10];

/// Large ones travel as files.
const LARGE: [usize; 2] = [1 << 20, 64 << 20];

/// What the bytes of a blob are like.
#[derive(Clone, Copy)]
enum Kind {
    Noise,
    Text,
}

/// Makes blobs of which no two are the same.
struct Bed {
    folder: tempfile::TempDir,
    blobs: Blobs,
    runtime: Runtime,
    state: Cell<u64>,
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().join("store").to_str().unwrap()).unwrap();
        Self {
            folder,
            blobs: Blobs::new(&store, "BenchFlow"),
            runtime: Runtime::new().unwrap(),
            state: Cell::new(88_172_645_463_325_252),
        }
    }

    fn number(&self) -> u64 {
        let mut state = self.state.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.state.set(state);
        state
    }

    fn bytes(&self, kind: Kind, size: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size + 64);
        while bytes.len() < size {
            let number = self.number();
            match kind {
                Kind::Noise => bytes.extend(number.to_le_bytes()),
                Kind::Text => {
                    bytes.extend(format!("row {} of the table\n", number % 100_000).into_bytes());
                }
            }
        }
        bytes.truncate(size);
        bytes
    }

    /// A new file in the spool. What was stored before is removed, or the bench would fill the disk.
    fn file(&self, kind: Kind, size: usize) -> PathBuf {
        let _ = std::fs::remove_dir_all(self.folder.path().join("store/BenchFlow"));
        let spool = self.folder.path().join("store/.flowc-tmp");
        std::fs::create_dir_all(&spool).unwrap();
        let file = spool.join("file");
        std::fs::write(&file, self.bytes(kind, size)).unwrap();
        file
    }

    fn spool(&self) -> &Path {
        self.folder.path()
    }

    /// Loads a blob, as far as user code waits for it.
    fn load(&self, key: &str, size: u64) {
        self.runtime.block_on(async {
            match self.blobs.load(key, size, self.spool()).await.unwrap() {
                Loaded::Unverified(path, verdict) => {
                    black_box(path);
                    verdict.await.unwrap().unwrap();
                }
                Loaded::File(path) if path.starts_with(self.spool().join("store")) => {}
                Loaded::File(path) => std::fs::remove_file(path).unwrap(),
                Loaded::Inline(bytes) => {
                    black_box(bytes);
                }
            }
        });
    }
}

fn small(criterion: &mut Criterion) {
    let bed = Bed::new();
    let mut put = criterion.benchmark_group("put");
    for size in SMALL {
        put.throughput(Throughput::Bytes(size as u64));
        put.bench_function(BenchmarkId::new("small", size), |bencher| {
            bencher.iter_batched(
                || {
                    let bytes = bed.bytes(Kind::Noise, size);
                    (key_of(&bytes), bytes)
                },
                |(key, bytes)| {
                    let put = bed.runtime.block_on(bed.blobs.put(&key, &bytes)).unwrap();
                    assert_eq!(put, Put::Created);
                },
                BatchSize::SmallInput,
            );
        });
    }
    put.finish();
    let mut get = criterion.benchmark_group("get");
    for size in SMALL {
        let bytes = bed.bytes(Kind::Noise, size);
        let key = key_of(&bytes);
        bed.runtime.block_on(bed.blobs.put(&key, &bytes)).unwrap();
        get.throughput(Throughput::Bytes(size as u64));
        get.bench_function(BenchmarkId::new("small", size), |bencher| {
            bencher.iter(|| bed.load(&key, size as u64));
        });
    }
    get.finish();
}

fn large(criterion: &mut Criterion) {
    let bed = Bed::new();
    for (name, kind) in [("noise", Kind::Noise), ("text", Kind::Text)] {
        let mut put = criterion.benchmark_group("put");
        put.sample_size(10);
        for size in LARGE {
            put.throughput(Throughput::Bytes(size as u64));
            put.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter_batched(
                    || bed.file(kind, size),
                    |file| {
                        let put = bed.blobs.put_spool(&file, None);
                        bed.runtime.block_on(put).unwrap()
                    },
                    BatchSize::PerIteration,
                );
            });
        }
        put.finish();
        let mut get = criterion.benchmark_group("get");
        get.sample_size(10);
        for size in LARGE {
            let file = bed.file(kind, size);
            let put = bed.blobs.put_spool(&file, None);
            let key = bed.runtime.block_on(put).unwrap();
            get.throughput(Throughput::Bytes(size as u64));
            get.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter(|| bed.load(&key, size as u64));
            });
        }
        get.finish();
    }
}

criterion_group!(benches, small, large);
criterion_main!(benches);
