//! The checked-in wire code is what the `.proto` files generate.
#![allow(clippy::unwrap_used, reason = "a test")]

#[path = "../examples/generate.rs"]
mod generate;

use std::path::Path;

#[test]
fn checked_in_code_is_up_to_date() {
    let out = std::env::temp_dir().join(format!("assay-generate-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let result = generate::generate(&out);
    let fresh = std::fs::read_to_string(out.join("assay.v1.rs")).unwrap();
    let descriptors = std::fs::read(out.join("descriptors.bin")).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    result.unwrap();
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pb");
    assert!(
        fresh == std::fs::read_to_string(checked_in.join("assay.v1.rs")).unwrap()
            && descriptors == std::fs::read(checked_in.join("descriptors.bin")).unwrap(),
        "src/pb is stale: run `make proto` and commit the result"
    );
}
