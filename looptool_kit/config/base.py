"""What every section of the settings is."""

from __future__ import annotations

from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator

MAX_NUMBER = 10**12
"""Above any setting that can be meant. A number of TOML has no bound, and libraries take none so large."""


class Section(BaseModel):
    """One table of `run.toml`; unknown keys are errors."""

    # With their docstrings the fields describe themselves in forms.
    # Nothing compares with NaN: a threshold or rate that is one would be obeyed without a word.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
    machine: ClassVar[frozenset[str]] = frozenset()
    """Settings that say how this machine works and decide no result, so that no stage's key holds them."""

    @model_validator(mode="after")
    def _of_a_size(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if isinstance(number, int | float) and abs(number) > MAX_NUMBER:
                    raise ValueError(f"{name} is more than {MAX_NUMBER:,}, the largest number that is taken")
        return self
