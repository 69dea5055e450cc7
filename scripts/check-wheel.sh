#!/usr/bin/env bash
# Build the wheel, install it into an empty environment without torch, and run the README's quick start there.
set -euo pipefail
cd "$(dirname "$0")/.."
profile=${PROFILE:-quick}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

.venv/bin/maturin build --quiet --profile "$profile" --interpreter .venv/bin/python --out "$work"
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet -c constraints.txt "$work"/assay-*.whl pytest
"$work/venv/bin/python" -c 'import importlib.util as u; assert u.find_spec("torch") is None, "torch must not be needed"'
# Outside the checkout, so that only the installed package can be imported.
cp README.md tests/python/test_readme.py "$work/"
(cd "$work" && ASSAY_README="$work/README.md" venv/bin/python -m pytest -q -p no:cacheprovider test_readme.py)
"$work/venv/bin/assay" verify '\frac{1}{2}' '0.5' >/dev/null
"$work/venv/bin/assay" --help >/dev/null
echo "the wheel works without torch"
