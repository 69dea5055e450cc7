#!/usr/bin/env bash
# Licences, bans and sources of every crate. Advisories need the network and run in the public CI only.
set -euo pipefail
cd "$(dirname "$0")/.."
deny=$(command -v cargo-deny || true)
if [ -z "$deny" ]; then
  deny=.cache/tools/bin/cargo-deny
  [ -x "$deny" ] || cargo install --quiet --locked --debug --no-default-features --root .cache/tools cargo-deny@0.20.2
fi
"$deny" --log-level error check --hide-inclusion-graph licenses bans sources
