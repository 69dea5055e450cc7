#!/usr/bin/env bash
# test-sglang.sh PYTHON RELEASE: installs the real SGLang into an environment of its own (6 GB, once), and runs against it 20
# GRPO steps, every way in which weights travel, and a run on Ray with the server under an actor. Needs assay built in
# .venv; no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 sglang=$2 venv=.venv-sglang-$2
[ -f "scripts/sglang/$sglang.txt" ] || {
  echo "no pins for SGLang $sglang: there are $(cd scripts/sglang && echo [0-9]*.txt)" >&2
  exit 2
}

if ! [ -f "$venv/.sglang-$sglang" ]; then
  echo "installing SGLang $sglang into $venv (6 GB; two minutes and more)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet -r scripts/sglang/requirements.txt -c "scripts/sglang/$sglang.txt"
  "$venv/bin/python" -m pip install --quiet --no-deps "sglang==$sglang"
  touch "$venv/.sglang-$sglang"
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
with=(--python "$venv/bin/python")
if [ "$sglang" = 0.5.17 ]; then
  # It computes checksums on a GPU only, and the other two scripts compare them.
  .venv/bin/python benches/python/sglang_grpo.py "${with[@]}" --verify never
  exit
fi
.venv/bin/python benches/python/sglang_grpo.py "${with[@]}"
.venv/bin/python benches/python/sglang_real.py "${with[@]}"
.venv/bin/python benches/python/sglang_ray.py "${with[@]}"
