//! Generates `src/pb` and `proto/contract.txt` from `proto/assay/v1`: `cargo run -p assay-server --example generate`.
//!
//! An example and not a build script, so that users of the crate need neither protox nor the time it takes; the
//! result is checked in and `tests/proto.rs` fails when it is stale.

pub(crate) mod contract;

use std::error::Error;
use std::path::{Path, PathBuf};

use prost::Message;
use protox::prost_reflect::prost_types::FileDescriptorSet;
use sha2::{Digest, Sha256};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Where the contract is checked in.
pub(crate) fn contract_file() -> PathBuf {
    root().join("proto/contract.txt")
}

/// What the `.proto` files say.
pub(crate) fn descriptors() -> Result<FileDescriptorSet, Box<dyn Error>> {
    let proto = root().join("proto");
    let mut files: Vec<PathBuf> = std::fs::read_dir(proto.join("assay/v1"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "proto")
    });
    files.sort();
    Ok(protox::compile(&files, [&proto])?)
}

/// Writes the code of every message and service, what describes them, and the hash of the spec's schema, into `out`.
pub(crate) fn generate(out: &Path) -> Result<(), Box<dyn Error>> {
    let descriptors = descriptors()?;
    let spec = contract::lines(&descriptors, |file| file.ends_with("spec.proto"));
    let hash = format!("{:x}", Sha256::digest(spec.join("\n")));
    let schema = format!(
        "/// SHA-256 of the names, numbers and types of spec.proto.\npub const SPEC_SCHEMA_SHA256: &str =\n    \"{hash}\";\n"
    );
    std::fs::write(out.join("schema.rs"), schema)?;
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
        .codec_path("crate::wire::MessageCodec")
        .compile_fds(descriptors)?;
    Ok(())
}

/// Entry point.
#[allow(dead_code, reason = "tests/proto.rs includes this file for `generate`")]
fn main() -> Result<(), Box<dyn Error>> {
    generate(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pb"))?;
    let fresh = contract::lines(&descriptors()?, |_| true);
    let old = std::fs::read_to_string(contract_file()).unwrap_or_default();
    let broken = contract::broken(&old, &fresh);
    if !broken.is_empty() {
        return Err(format!("this change breaks callers:\n{}", broken.join("\n")).into());
    }
    Ok(std::fs::write(contract_file(), fresh.join("\n") + "\n")?)
}
