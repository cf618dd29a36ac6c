"""Stage train: how a policy learns from a dataset (LoopTool, section 3.2).

The trainers are a Literal, `settings.trainer`, and not found by file name: `trl` is two files, `sft.py` and
`grpo.py`, and `unsloth` runs both phases in a process of its own. GRPO of a single iteration can run on verl
(`verl.py`). All take their arguments from `recipe.py` or the same settings, and their reward from
`reward.py`, which finds it by its name in `rewards/`.
"""
