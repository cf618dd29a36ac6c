"""Tools made up for a test, and the samples that templates write for them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from looptool_kit.core.samples import Samples, Tool
from looptool_kit.stages.seed.templates import generate


def tool(name: str, description: str = "", needed: int | None = None, /, **properties: Any) -> Tool:
    """A tool; of its parameters the first `needed` are required, by default all."""
    schemas = {
        n: v if isinstance(v, dict) else {"type": "string", "description": v} for n, v in properties.items()
    }
    schema = {"type": "object", "properties": schemas, "required": list(schemas)[:needed]}
    return Tool(name=name, description=description, parameters=schema)


def drawn(tools: Sequence[Tool], n: int = 40, seed: int = 0, **more: Any) -> Samples:
    """`n` samples, whatever tools get none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return generate(tools, n, seed=seed, **more)
