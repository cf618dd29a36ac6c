"""The words of the method.

Tools, calls, messages, labels and samples, and how they are kept on disk.

A `Sample` is (tools, context, label): a dialogue up to one assistant turn and what is expected there
(LoopTool, section 3). Samples are frozen; a sample's id is the hash of exactly those three, so a changed
label is a new sample whose `parent` is the old one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from looptool_kit.core.tables import Table

Role = Literal["system", "user", "assistant", "tool"]
QUESTION_MARKS = ("?", "？", "؟")
"""What a question ends with, in Latin, Chinese or Japanese, and Arabic script."""


class Frozen(BaseModel):
    """A value: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy as pydantic does, without values computed from the fields.

        Such a value is the id.
        """
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(copy).model_fields.keys():
            del copy.__dict__[name]
        return copy


_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


class Tool(Frozen):
    """A function that the model may call."""

    name: str = Field(min_length=1)
    description: str = ""
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """JSON Schema of the arguments object."""

    @cached_property
    def canonical(self) -> str:
        """The tool as JSON text with sorted keys.

        Samples of one tool list share their tools, so it is made once for all of them.
        """
        return _canonical(self.model_dump())

    @property
    def properties(self) -> dict[str, Any]:
        """Parameter name -> its schema.

        Empty where the schema has none that can be read.
        """
        found = self.parameters.get("properties")
        return found if isinstance(found, dict) else {}

    @property
    def required(self) -> tuple[str, ...]:
        """Names of the parameters that a call must give."""
        found = self.parameters.get("required")
        return tuple(n for n in found if isinstance(n, str)) if isinstance(found, list | tuple) else ()


class ToolCall(Frozen):
    """One call: the tool's name and the arguments object."""

    name: str
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class Message(Frozen):
    """One turn of the dialogue.

    `tool` messages carry the tool's name and its JSON result as content.
    """

    role: Role
    content: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    name: str | None = None


class Label(Frozen):
    """The reference answer: tool calls, or, without any, a plain reply."""

    calls: tuple[ToolCall, ...] = ()
    reply: str = ""
    """The plain reply; empty when there are calls."""
    mentions: tuple[tuple[str, ...], ...] = ()
    """What a right plain reply has to say: of each group at least one wording, in upper or lower case.
    Empty: any text counts.
    """
    asks: bool = False
    """True where the plain reply must be a question to the user (missing information)."""


class Sample(Frozen):
    """One training or evaluation item, with where it came from."""

    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]
    label: Label
    kind: str = ""
    """Task kind: single, choice, parallel, multi_step, multi_turn, ask, decline, finish; free for imported
    data.
    """
    split: str = "train"
    """train, unseen_values, unseen_phrasings or unseen_tools; free for imported data."""
    source: str = ""
    """What made the row: `world`, `file:<name>`, `judge`, `expander`, `person`."""
    iteration: int = 0
    strategy: str = ""
    """The strategy by name that made the row, e.g. `expanders.world`."""
    parent: str | None = None
    """Id of the sample that this one was made from."""
    meta: dict[str, JsonValue] = Field(default_factory=dict)
    """What the maker wants to remember (never part of the id, never shown to a model)."""

    @cached_property
    def id(self) -> str:
        """Sixteen hex digits of SHA-256 over (tools, messages, label)."""
        return hashlib.sha256(self.canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    @property
    def canonical(self) -> str:
        """What the id is the hash of.

        It is tools, messages and label as JSON text with sorted keys.
        """
        rest = _canonical([[m.model_dump() for m in self.messages], self.label.model_dump()])
        return f"[[{','.join(t.canonical for t in self.tools)}],{rest[1:]}"

    @property
    def request(self) -> str:
        """The last thing the user said."""
        return next((m.content for m in reversed(self.messages) if m.role == "user"), "")

    @property
    def opening(self) -> str:
        """The user's first words, the same for all turns of a dialogue."""
        return next((m.content for m in self.messages if m.role == "user"), "")

    def _repr_html_(self) -> str:
        from looptool_kit.core.preview import sample_html

        return sample_html(self)

    def tool(self, name: str) -> Tool | None:
        """Return the tool of that name on offer, or None."""
        return next((t for t in self.tools if t.name == name), None)

    def relabelled(self, label: Label, *, iteration: int, strategy: str, **meta: JsonValue) -> Sample:
        """Return the same tools and context under another label.

        A new sample whose parent is this one.
        """
        return self.model_copy(
            update={
                "label": label,
                "parent": self.id,
                "iteration": iteration,
                "strategy": strategy,
                "source": "judge",
                "meta": {**self.meta, **meta},
            }
        )


class Samples(Table[Sample]):
    """A table of samples; `.to_dataset()` hands it to `datasets`."""

    row_type = Sample

    def to_dataset(self) -> Any:
        """Convert to a `datasets.Dataset`.

        Columns id, kind, and messages, tools and label as JSON text.
        """
        from datasets import Dataset

        return Dataset.from_list(
            [
                {
                    "id": s.id,
                    "kind": s.kind,
                    "messages": json.dumps(
                        [m.model_dump(exclude_none=True) for m in s.messages], ensure_ascii=False
                    ),
                    "tools": json.dumps([t.model_dump() for t in s.tools], ensure_ascii=False),
                    "label": json.dumps(s.label.model_dump(), ensure_ascii=False),
                }
                for s in self
            ]
        )
