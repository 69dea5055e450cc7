#!/usr/bin/env bash
# setup.sh PYTHON VENV: an environment with the pinned versions. Safe to repeat.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 venv=$2

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "assay needs Python 3.11 or newer; $python is $("$python" --version 2>&1). Run: make PYTHON=python3.11 ..." >&2
  exit 2
}
command -v cargo >/dev/null || {
  echo "assay needs a Rust toolchain (1.95 or newer): install one with rustup, then run make again." >&2
  exit 2
}

site=()
# A torch built for this machine's accelerator is worth keeping: see it through instead of installing another.
if "$python" -c 'import torch' 2>/dev/null; then site=(--system-site-packages); fi
[ -x "$venv/bin/python" ] || "$python" -m venv "${site[@]}" "$venv"

pins=constraints.txt
if found=$("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("torch"))' 2>/dev/null); then
  pins=$venv/constraints.txt
  grep -v -E '^(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==' constraints.txt >"$pins"
  echo "torch==$found" >>"$pins"
fi

echo "installing Python packages into $venv (the first time takes some minutes)"
mapfile -t wanted < <("$venv/bin/python" scripts/requirements.py train lora ray report track tasks bench dev)
"$venv/bin/python" -m pip install --quiet -c "$pins" "${wanted[@]}"
