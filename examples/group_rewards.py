"""Rewards and group advantages of one training step, as a trainer would compute them."""

import numpy as np

import assay

# Two prompts, four completions each.
completions = [
    "<think>3 * 4 = 12</think><answer>12</answer>",
    "<think>3 + 4 = 7</think><answer>7</answer>",
    "<think>twelve, I think</think><answer>12.0</answer>",
    "<think>3 * 4 ...",
    "<think>a half</think><answer>0.5</answer>",
    "<think>a half</think><answer>\\frac{1}{2}</answer>",
    "<think>a third</think><answer>1/3</answer>",
    "1/2",
]
references = ["12"] * 4 + ["1/2"] * 4
groups = np.repeat([0, 1], 4)

scorer = assay.Scorer({"accuracy": 1.0, "format": 0.5})
scores = scorer.score(completions, references)
advantages = assay.group_advantages(scores.total, groups, kind="grpo")

for index, row in enumerate(scores.to_list()):
    why = f"  ({row['reason']})" if row["reason"] else ""
    print(f"group {groups[index]}  reward {row['total']}  advantage {advantages[index]:+.3f}  {row['status']}{why}")

# A reference that cannot be read is the dataset's fault. It is no reward of 0: it has none, and its advantage is 0.
broken = scorer.score(completions[:4], ["12", "12", "12", None])
print(broken.total, [str(status) for status in broken.status])
print(assay.group_advantages(broken.total, groups[:4], kind="grpo"))
