//! Gzip of blobs: whether it pays, small ones in one go, large ones on all cores with bounded memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::Path;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;

use crate::digest::{PIECE, digest_into};

/// Metaflow's level.
const LEVEL: u32 = 3;

/// Uncompressed bytes of one gzip member of a large blob; readers take any number of members.
const MEMBER: usize = 1 << 20;

/// Members that are compressed at a time; with [`MEMBER`] it bounds the memory.
const WORKERS_MAX: usize = 8;

/// Where the sample is taken, and how much in each place.
const SAMPLES: u64 = 4;
const SAMPLE: usize = 64 << 10;

/// Gzip is kept if the sample shrinks to this share or less: what saves little is not worth reading at gzip's speed.
const WORTH: f64 = 0.8;

/// One gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> io::Result<Vec<u8>> {
    gzip_into(bytes, Vec::with_capacity(bytes.len() / 2 + 64))
}

fn gzip_into(bytes: &[u8], output: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(output, Compression::new(LEVEL));
    encoder.write_all(bytes)?;
    encoder.finish()
}

/// Whether the bytes begin like gzip. A pickle of protocol 2 or later begins with 0x80.
pub(crate) fn looks_like_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0x1f, 0x8b])
}

/// The uncompressed bytes, at most `limit` of them; more is an error.
pub(crate) fn gunzip(bytes: &[u8], limit: u64) -> io::Result<Vec<u8>> {
    let mut output = Vec::new();
    let decoder = MultiGzDecoder::new(bytes);
    decoder.take(limit + 1).read_to_end(&mut output)?;
    if output.len() as u64 > limit {
        return Err(too_long(limit));
    }
    Ok(output)
}

/// Uncompresses a file into another; the digest and size of what was written.
pub(crate) fn gunzip_file(
    input: &mut dyn Read,
    output: &mut dyn Write,
    limit: u64,
) -> io::Result<(String, u64)> {
    let decoder = MultiGzDecoder::new(BufReader::with_capacity(PIECE, input));
    let copied = digest_into(&mut decoder.take(limit + 1), output)?;
    if copied.1 > limit {
        return Err(too_long(limit));
    }
    Ok(copied)
}

/// Whether gzip would shrink a file enough, by a sample of it.
pub(crate) fn pays(file: &mut File, size: u64) -> io::Result<bool> {
    let mut sample = Vec::with_capacity(SAMPLE);
    let (mut before, mut after) = (0, 0);
    for place in 0..SAMPLES {
        let room = size.saturating_sub(SAMPLE as u64);
        file.seek(SeekFrom::Start(room / (SAMPLES - 1) * place))?;
        sample.clear();
        file.take(SAMPLE as u64).read_to_end(&mut sample)?;
        before += sample.len();
        after += gzip(&sample)?.len();
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(after as f64 <= before as f64 * WORTH)
}

/// Compresses a file into another, in members on all cores.
pub(crate) fn gzip_file(input: &Path, output: &Path) -> io::Result<()> {
    let workers =
        std::thread::available_parallelism().map_or(1, |cores| cores.get().min(WORKERS_MAX));
    let mut input = File::open(input)?;
    let mut output = File::create_new(output)?;
    let mut slots: Vec<(Vec<u8>, Vec<u8>)> = vec![Default::default(); workers];
    loop {
        let mut filled = 0;
        for (plain, _) in &mut slots {
            plain.clear();
            if (&mut input).take(MEMBER as u64).read_to_end(plain)? == 0 {
                break;
            }
            filled += 1;
        }
        if filled == 0 {
            return Ok(());
        }
        let batch = &mut slots[..filled];
        let compress = |slot: &mut (Vec<u8>, Vec<u8>)| {
            slot.1.clear();
            slot.1 = gzip_into(&slot.0, std::mem::take(&mut slot.1))?;
            Ok::<_, io::Error>(())
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = batch
                .iter_mut()
                .map(|slot| scope.spawn(move || compress(slot)))
                .collect();
            running.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|_| Err(io::Error::other("a compressing thread panicked")))
            })
        })?;
        for (_, member) in batch {
            output.write_all(member)?;
        }
    }
}

fn too_long(limit: u64) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("it holds more than the {limit} bytes that were recorded"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_a_large_file_read_as_one() {
        let folder = tempfile::tempdir().unwrap();
        let (plain, packed) = (folder.path().join("plain"), folder.path().join("packed"));
        let bytes: Vec<u8> = (0..5 * MEMBER + 17).map(|i| (i / 1000) as u8).collect();
        std::fs::write(&plain, &bytes).unwrap();
        gzip_file(&plain, &packed).unwrap();
        let packed = std::fs::read(&packed).unwrap();
        assert!(packed.len() < bytes.len() / 10);
        assert_eq!(gunzip(&packed, bytes.len() as u64).unwrap(), bytes);
        let error = gunzip(&packed, bytes.len() as u64 - 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn noise_is_not_compressed_and_text_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            File::open(path).unwrap()
        };
        let mut state = 88_172_645_463_325_252_u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .take(1 << 20)
        .collect();
        assert!(!pays(&mut file("noise", &noise), 1 << 20).unwrap());
        let text = b"the quick brown fox, ".repeat(50_000);
        assert!(pays(&mut file("text", &text), text.len() as u64).unwrap());
        assert!(
            pays(
                &mut file(
                    "short",
                    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                ),
                49
            )
            .unwrap()
        );
    }
}
