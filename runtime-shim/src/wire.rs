//! Frames over the socket to the harness: a length of four bytes, big endian, and that much JSON.

use std::io;

use flowc_protocol::conversation::{FRAME_MAX, FromHarness};
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The next frame; `None` at the end of the stream between two frames.
pub(crate) async fn read(
    input: &mut (impl AsyncReadExt + Unpin),
) -> io::Result<Option<FromHarness>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length).await {
        Ok(_) => {}
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let length = u32::from_be_bytes(length);
    if length > FRAME_MAX {
        return Err(invalid(format!("a frame of {length} bytes is too long")));
    }
    let mut body = vec![0; length as usize];
    input.read_exact(&mut body).await?;
    serde_json::from_slice(&body)
        .map(Some)
        .map_err(|error| invalid(format!("a frame could not be read: {error}")))
}

/// Writes one frame.
pub(crate) async fn write(
    output: &mut (impl AsyncWriteExt + Unpin),
    frame: &impl Serialize,
) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    serde_json::to_writer(&mut bytes, frame)?;
    let length = u32::try_from(bytes.len() - 4)
        .ok()
        .filter(|length| *length <= FRAME_MAX)
        .ok_or_else(|| invalid(format!("a frame of {} bytes is too long", bytes.len() - 4)))?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    output.write_all(&bytes).await
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}
