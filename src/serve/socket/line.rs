//! Lines of JSON, with a bound on their length.

use std::io::{self, ErrorKind};

use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Reads a line without its end; `None` at the end of the stream. A line that is longer than `most` bytes or cut off is
/// an error.
pub(super) async fn read<R: AsyncBufRead + Unpin>(reader: &mut R, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    (&mut *reader).take(most).read_until(b'\n', &mut line).await?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop_if(|last| *last == b'\n').is_none() {
        return Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a line was cut off, or is longer than {most} bytes"),
        ));
    }
    Ok(Some(line))
}

/// Writes `value` as a line.
pub(super) async fn write<W: AsyncWrite + Unpin>(writer: &mut W, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}
