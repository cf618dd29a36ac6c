"""The folder in which the findings of an audit are decided: a run folder that no loop made."""

from __future__ import annotations

from looptool_kit.core.errors import RunError
from looptool_kit.run.folder import Run

KEY = "audit"
"""What its tables are made from, as their manifests say."""


def is_desk(run: Run) -> bool:
    """Whether an audit made this folder (`looptool audit --desk`)."""
    return (run.manifest("verdicts", 1) or {}).get("key") == KEY


def refuse_desk(run: Run) -> Run:
    """Return the run, if a loop may work on it.

    Raises:
        RunError: It is the review desk of an audit; says what to do with that.
    """
    if is_desk(run):
        raise RunError(
            f"{run.path} is the review desk of an audit and no run of the loop. Decide there with `looptool"
            f" view {run.path}`, then write the labels with `looptool audit FILE --repair NEW --decided"
            f" {run.path}`."
        )
    return run
