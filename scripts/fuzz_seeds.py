"""Write the seed corpora of the fuzz targets from tests/cases: python scripts/fuzz_seeds.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 4096


def texts(name: str, *keys: str) -> list[str]:
    """The named string fields of every row of a case file, joined by line breaks as the targets split them."""
    rows = [json.loads(line) for line in (ROOT / "tests/cases" / name).read_text(encoding="utf-8").splitlines()]
    found = ["\n".join(row[key] for key in keys) for row in rows if all(isinstance(row.get(key), str) for key in keys)]
    return [text for text in found if len(text) < LIMIT]


def main() -> None:
    """One file per text, named by its hash."""
    pairs = texts("verify.jsonl", "gold", "answer") + texts("adversarial.jsonl", "gold", "answer")
    seeds = {
        "parse": texts("parse.jsonl", "input") + [side for pair in pairs for side in pair.split("\n")],
        "verify": pairs,
        "extract": texts("extract.jsonl", "completion"),
        "score": texts("score.jsonl", "reference", "completion") + texts("extract.jsonl", "completion"),
    }
    for target, found in seeds.items():
        folder = ROOT / "fuzz" / "seeds" / target
        folder.mkdir(parents=True, exist_ok=True)
        for text in found:
            data = text.encode("utf-8", "surrogatepass")
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


if __name__ == "__main__":
    main()
