"""Trainers: how a policy learns from a dataset. `sft.py` (warm start), `grpo.py` (LoopTool section 3.2); both compute log-probs through `shared_prefix.py`."""
