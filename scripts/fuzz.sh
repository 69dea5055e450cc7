#!/usr/bin/env bash
# scripts/fuzz.sh SECONDS [TARGET..]: run the fuzz targets one after another, each for SECONDS, on the pinned toolchain.
# Coverage is what `cargo fuzz run --sanitizer none` instruments; no nightly is needed, and the core has no unsafe code
# for a sanitizer to watch. A corpus grows in fuzz/corpus/TARGET; a crash leaves its input in fuzz/artifacts/TARGET.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:?seconds per target}; shift
targets=("$@"); [ ${#targets[@]} -gt 0 ] || targets=(parse verify extract score)
triple=$(rustc -vV | sed -n 's/^host: //p')
export RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-sanitizer-coverage-stack-depth \
--cfg fuzzing -Cdebug-assertions"
cargo build --quiet --release --manifest-path fuzz/Cargo.toml --target "$triple" --bins
python3 scripts/fuzz_seeds.py
for target in "${targets[@]}"; do
  mkdir -p "fuzz/corpus/$target" "fuzz/artifacts/$target"
  echo "== $target"
  "fuzz/target/$triple/release/$target" "fuzz/corpus/$target" "fuzz/seeds/$target" -artifact_prefix="fuzz/artifacts/$target/" \
    -dict=fuzz/math.dict -max_len=4096 -timeout=5 -rss_limit_mb=1024 -max_total_time="$seconds" -print_final_stats=1 2>&1 |
    grep -v '^\(#.*\(NEW\|REDUCE\|RELOAD\)\|ManualDict\)'
done
