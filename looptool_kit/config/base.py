"""What every section of the settings is."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """One table of `run.toml`; unknown keys are errors."""

    # With their docstrings the fields describe themselves in forms.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)
    machine: ClassVar[frozenset[str]] = frozenset()
    """Settings that say how this machine works and decide no result, so that no stage's key holds them."""
