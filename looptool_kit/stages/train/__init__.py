"""Stage train: how a policy learns from a dataset (LoopTool, section 3.2).

The trainers are a Literal, `settings.trainer`, and not found by file name: `trl` is two files, `sft.py` and
`grpo.py`, and `unsloth` runs both phases in a process of its own. Both take their arguments from `recipe.py`
and their reward from `reward.py`, which finds it by its name in `rewards/`.
"""
