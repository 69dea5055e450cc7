"""Problems from a file in GSM8K's layout: gold answers, a held-out set, and what the model is asked."""

import json
import tempfile
from pathlib import Path

from assay.data import Template, load_splits, render

rows = [
    {"question": f"What is {a} * {b}?", "answer": f"{a} * {b} is {a * b}\n#### {a * b}"}
    for a in range(9)
    for b in range(9)
]

with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    splits = load_splits(
        {
            "source": "jsonl",
            "path": "train.jsonl",
            "prompt_field": "question",
            "reference_field": "answer",
            "gold": "hashes",
            "held_out": 10,
        },
        base=folder,
    )

print(f"{len(splits.train)} to train on, {len(splits.held_out)} held out")
task = splits.held_out[0]
print(f"reference: {task.reference}")
print(render(task.prompt, Template(kind="r1")))
