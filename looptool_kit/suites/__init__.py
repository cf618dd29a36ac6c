"""Suites: what a policy is evaluated on. `held_out.py` (the run's own held-out splits), `bfcl.py` (the public benchmark, by its own checkers)."""
