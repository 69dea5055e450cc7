"""The GRPO learner in PyTorch (extra ``train``)."""
