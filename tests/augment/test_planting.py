"""Planted errors on anybody's data: each kind makes the error that it says, and none raises."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from looptool_kit.augment.planting import KINDS, plant, values_of
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall

TRIP = Tool(
    name="bookTrip",
    description="Book a trip.",
    parameters={
        "type": "object",
        "properties": {
            "from_city": {"type": "string"},
            "to_city": {"type": "string"},
            "day": {"type": "string", "format": "date"},
            "hours": {"type": "integer", "description": "Length in hours."},
            "unit": {"type": "string", "enum": ["km", "miles"]},
            "bags": {"type": "integer", "default": 1},
        },
        "required": ["from_city", "to_city"],
    },
)
ARGUMENTS: dict[str, Any] = {
    "from_city": "Rome", "to_city": "Oslo", "day": "2026-12-04", "hours": 3, "unit": "km"
}  # fmt: skip


def sample(**more: Any) -> Sample:
    return Sample(
        tools=(TRIP,),
        messages=(Message(role="user", content="From Rome to Oslo on December 4, three hours."),),
        label=Label(calls=(ToolCall(name="bookTrip", arguments={**ARGUMENTS, **more}),)),
    )


def planted(kind: str, seed: int, of: Sample) -> dict[str, Any] | None:
    label = plant(of, kind, Random(seed), values_of([of]))
    return label.calls[0].arguments if label else None


def test_kinds_that_annotators_make() -> None:
    swapped = [a for n in range(9) if (a := planted("swapped_values", n, sample()))]
    assert {"from_city": "Oslo", "to_city": "Rome"}.items() <= swapped[0].items() or len(swapped) > 1
    assert any(a["from_city"] == "Oslo" and a["to_city"] == "Rome" for a in swapped)
    names = [
        set(a) - set(ARGUMENTS) for n in range(20) if (a := planted("wrong_parameter_name", n, sample()))
    ]
    assert {"fromCity"} in names and {"bags"} in names
    units = [a for n in range(20) if (a := planted("wrong_unit", n, sample()))]
    assert {a["unit"] for a in units} == {"km", "miles"} and {30, 180} & {a["hours"] for a in units}
    days = [a["day"] for n in range(9) if (a := planted("off_by_one_date", n, sample()))]
    assert "2026-12-05" in days and ARGUMENTS["day"] not in days


@pytest.mark.parametrize("kind", KINDS)
def test_an_argument_that_no_schema_knows_stops_nothing(kind: str) -> None:
    """Foreign labels have parameters that their tools do not declare."""
    odd = sample(journey_start="now", nested={"a": [1, None]}, nothing=None)
    for n in range(10):
        plant(odd, kind, Random(n), values_of([odd]))


def test_leaving_out_a_default_is_not_an_error() -> None:
    bags = [planted("missing_parameter", n, sample(bags=1)) for n in range(30)]
    assert all(a is None or "bags" in a for a in bags)
