//! Generates `src/pb` from `proto/assay/v1`: `cargo run -p assay-server --example generate [DIR]`.
//!
//! An example and not a build script, so that users of the crate need neither protox nor the time it takes; the
//! result is checked in and `tests/proto.rs` fails when it is stale.

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Writes the code of every message and service, and what describes them, into `out`.
pub(crate) fn generate(out: &Path) -> Result<(), Box<dyn Error>> {
    let proto = root().join("proto");
    let mut files: Vec<PathBuf> = std::fs::read_dir(proto.join("assay/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "proto")
    });
    files.sort();
    let descriptors = protox::compile(&files, [&proto])?;
    let mut bare = descriptors.clone();
    for file in &mut bare.file {
        file.source_code_info = None;
    }
    std::fs::write(out.join("descriptors.bin"), bare.encode_to_vec())?;
    tonic_prost_build::configure()
        .out_dir(out)
        .emit_rerun_if_changed(false)
        // Token ids stay slices of the received message.
        .bytes(".assay.v1.Item.token_ids")
        .compile_fds(descriptors)?;
    Ok(())
}

/// Entry point.
#[allow(dead_code, reason = "tests/proto.rs includes this file for `generate`")]
fn main() -> Result<(), Box<dyn Error>> {
    let out = std::env::args_os().nth(1).map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pb"),
        PathBuf::from,
    );
    generate(&out)
}
