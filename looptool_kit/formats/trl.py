"""The form `trl`: `prompt`, `completion` and `tools`, as for TRL's trainers.

TRL renders both with the model's chat template and takes its loss on the completion alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.formats._messages import messages_of, turn_of
from looptool_kit.formats._parts import json_or_text, tools_of
from looptool_kit.formats._turns import Left, Unusable, samples_of_turns

COLUMNS = frozenset({"prompt", "completion", "tools"})


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `prompt` and `completion`."""
    return "prompt" in row and "completion" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
    """Yield what each assistant turn of the completion gives.

    Those of the prompt are context only.
    """
    tools = tools_of(row.get("tools"))
    prompt, completion = json_or_text(row["prompt"]), json_or_text(row["completion"])
    if not isinstance(prompt, list) or not isinstance(completion, list):
        raise ValueError(
            "`prompt` and `completion` must be lists of turns with role and content (TRL's conversational"
            " form); plain text does not tell who speaks"
        )
    context = [turn_of(m, tools, left)._replace(trained=False) for m in prompt]
    yield from samples_of_turns(
        tools, [*context, *(turn_of(m, tools, left) for m in completion)], source, left
    )


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Its context, its label as the completion, and its tools.
    """
    *prompt, completion = messages_of(sample)
    return {"prompt": prompt, "completion": [completion], "tools": tool_schemas(sample.tools)}
