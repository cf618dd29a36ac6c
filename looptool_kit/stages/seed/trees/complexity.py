"""Complexity of a sample, and the band in which data teaches.

It is the loss of a label under the policy to be tuned (`policy.label_loss`; ToolACE, section 2.2). Below the
band the policy answers rightly already, above it the policy stays wrong even after tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple


class Band(NamedTuple):
    """Losses in nats a token; both ends are inside."""

    low: float
    high: float

    def place(self, loss: float) -> Literal["simple", "inside", "hard"]:
        """Where a sample of that loss stands."""
        return "simple" if loss < self.low else "hard" if loss > self.high else "inside"


def estimate_band(right_before: Sequence[float], wrong_after: Sequence[float]) -> Band:
    """Estimate the band from measured losses.

    It goes from the median of the samples that the policy answers rightly before tuning to the median of
    those that it still answers wrongly afterwards. The bounds are ToolACE's, the medians ours. Raises
    `ValueError` where either is missing or they are in the wrong order.
    """
    import numpy as np

    if not right_before or not wrong_after:
        raise ValueError(
            "a band needs losses of samples answered rightly before tuning, and of samples answered wrongly"
            " after it"
        )
    band = Band(float(np.median(right_before)), float(np.median(wrong_after)))
    if band.low > band.high:
        raise ValueError(
            f"rightly answered samples have a higher loss ({band.low:.3f}) than wrongly answered ones"
            f" ({band.high:.3f}): no band"
        )
    return band
