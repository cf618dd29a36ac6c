"""The manifest of a finished stage: what every reader may take for granted of one.

A stage writes more facts than these. Whatever is declared here has its type in each manifest that is read, so
that a damaged file is a stage to make again and not a traceback in a view.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import from_json

Number = Annotated[float, Field(ge=0, le=1e15)]
"""A count or seconds; far above any real one a sum of them is not a number any more."""
PolicyName = Annotated[str, StringConstraints(pattern=r"^(base|D[1-9][0-9]{0,8})$")]
Time = Annotated[str, AfterValidator(datetime.fromisoformat)]


class _Facts(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class Training(_Facts):
    """One training of a policy, in `trainings`."""

    folder: str
    trainer: str = ""
    steps: Number = 0
    tokens: Number = 0
    generated: Number = 0
    tokens_of_recoveries: Number = 0
    groups: Number = 0
    groups_without_variance: Number = 0


class Finished(Training):
    """What `result.json` of a finished training says, with its folder."""

    trainer: str
    steps: Number
    tokens: Number


class Manifest(_Facts):
    """What any manifest holds."""

    key: str
    seconds: Number
    finished: Time = "1970-01-01"
    peak_mb: Number = 0
    cpu_seconds: Number = 0
    generated: Number = 0
    wanted: Number = 0
    rows: Number = 0
    threshold: Number | None = None
    development_loss: Number | None = None
    made_from: dict[str, Any] | None = None
    augment: dict[str, Any] | None = None
    left_out: dict[str, Any] | None = None
    base: str = ""
    trainings: list[Training] = []


class Scored(Manifest):
    """The manifest of scores."""

    policy: PolicyName
    correct: Number = 0


class Composed(Manifest):
    """The manifest of a composition."""

    dataset: PolicyName = "base"
    total: Number = 0
    ES: Number = 0
    EE: Number = 0
    HPPL: Number = 0
    seed: Number = 0
    unjudged: Number = 0
    AUG: Number = 0


SHAPES: dict[str, type[Manifest]] = {
    "scores": Scored,
    "development_scores": Scored,
    "composition": Composed,
}
"""Manifest -> its shape, where that is more than any manifest's."""


def read_manifest(path: Path) -> dict[str, Any] | None:
    """Return the manifest of a finished stage.

    None where the file is missing or holds something else.
    """
    try:
        manifest = from_json(path.read_bytes())  # unlike json.loads it takes no half of a character
        shape = SHAPES.get(path.stem, Manifest)
        shape.model_validate(manifest)
    except (OSError, ValueError):  # pydantic's ValidationError is a ValueError
        return None
    return dict(manifest)


def is_training(facts: object) -> bool:
    """Whether these are the facts of a finished training.

    Its `folder` is among them.
    """
    try:
        Finished.model_validate(facts)
    except ValueError:
        return False
    return True
