"""Trainers: how a policy learns from a dataset. `sft.py` and `grpo.py` (LoopTool section 3.2), both over
`shared_prefix.py`.
"""
