"""What share of a GPU's peak each way of training reached, where `benchmarks/gpu.py` has measured it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal, NamedTuple

FILE = Path(__file__).with_name("measured.json")
"""Written by `benchmarks/gpu.py`; not there as long as it has not run on a GPU."""
ASSUMED = 0.35
"""Share of the peak of 16-bit arithmetic where nothing was measured: an assumption."""

Way = Literal["packed", "unsloth"]


class Share(NamedTuple):
    """A share of the GPU's peak arithmetic, and where it comes from."""

    value: float
    source: str


def peak_share(way: Way) -> Share:
    """Return the share of the peak that training reaches.

    `packed` is the trainer `trl` over shared prefixes.
    """
    if FILE.exists():
        kept = json.loads(FILE.read_text(encoding="utf-8"))
        if way in kept["shares"]:
            return Share(kept["shares"][way], f"measured on one {kept['card']}, {kept['date']}")
    return Share(ASSUMED, "an assumption")
