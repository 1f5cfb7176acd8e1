//! Digests of files: whole ones, growing ones, and while they are copied.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha1::{Digest, Sha1};

/// Buffer for reading files in pieces.
pub(crate) const PIECE: usize = 256 << 10;

/// Digest and size of a file's bytes.
pub(crate) fn digest_file(input: &mut dyn Read) -> io::Result<(String, u64)> {
    digest_into(input, &mut io::sink())
}

/// Copies `input`; digest and size of what was copied.
pub(crate) fn digest_into(
    input: &mut dyn Read,
    output: &mut dyn Write,
) -> io::Result<(String, u64)> {
    let mut running = Running::default();
    running.take(input, output)?;
    Ok(running.finish())
}

/// A digest of bytes that come in parts.
#[derive(Default)]
pub(crate) struct Running {
    sha1: Sha1,
    size: u64,
}

impl Running {
    /// Takes all that `input` gives, and hands it on.
    fn take(&mut self, input: &mut dyn Read, output: &mut dyn Write) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        loop {
            let length = match input.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.update(&buffer[..length]);
            output.write_all(&buffer[..length])?;
        }
    }

    /// Takes some bytes.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha1.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Digest and size of what was taken.
    pub(crate) fn finish(self) -> (String, u64) {
        (flowc_protocol::known::hex(&self.sha1.finalize()), self.size)
    }
}

/// The digest of a file that still grows: what it holds so far will not change any more.
pub struct Growing {
    path: PathBuf,
    file: File,
    running: Running,
}

impl Growing {
    /// Opens a file, of which nothing was taken yet.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            file: File::open(path)?,
            running: Running::default(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes the file's bytes up to `size`.
    pub fn advance(&mut self, size: u64) -> io::Result<()> {
        let more = size.saturating_sub(self.running.size);
        let mut input = (&mut self.file).take(more);
        self.running.take(&mut input, &mut io::sink())
    }

    /// Takes the rest of the file, which is whole now; digest and size.
    pub fn finish(mut self) -> io::Result<(String, u64)> {
        self.running.take(&mut self.file, &mut io::sink())?;
        Ok(self.running.finish())
    }
}
