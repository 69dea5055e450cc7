#!/usr/bin/env bash
# test-sglang.sh PYTHON VENV: installs the real SGLang into an environment of its own (6 GB, once), and runs against it 20
# GRPO steps, every way in which weights travel, and a run on Ray with the server under an actor. Needs assay built in
# .venv; no GPU.
set -euo pipefail
cd "$(dirname "$0")/.."
python=$1 venv=$2 sglang=0.5.23

if ! [ -f "$venv/.sglang-$sglang" ]; then
  echo "installing SGLang $sglang into $venv (6 GB; two minutes and more)"
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet -r scripts/sglang-requirements.txt
  "$venv/bin/python" -m pip install --quiet --no-deps "sglang==$sglang"
  touch "$venv/.sglang-$sglang"
fi
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1
.venv/bin/python benches/python/sglang_grpo.py --python "$venv/bin/python"
.venv/bin/python benches/python/sglang_real.py --python "$venv/bin/python"
.venv/bin/python benches/python/sglang_ray.py --python "$venv/bin/python"
