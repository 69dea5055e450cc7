//! Messages to and from a worker: four bytes of length, little-endian, and JSON.

use std::io;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest message from a worker.
const LARGEST: u32 = 64 << 20;

pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), json: &[u8]) -> io::Result<()> {
    let length = u32::try_from(json.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    to.write_all(&length.to_le_bytes()).await?;
    to.write_all(json).await?;
    to.flush().await
}

pub(super) async fn read<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
) -> io::Result<T> {
    let length = from.read_u32_le().await?;
    if length > LARGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut json = vec![0; length as usize];
    from.read_exact(&mut json).await?;
    serde_json::from_slice(&json).map_err(|_| io::ErrorKind::InvalidData.into())
}
