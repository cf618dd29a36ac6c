"""Ask a language model for an answer in a form.

A JSON object of a given type, read strictly.

A prompt shows samples as JSON, so that every text in it keeps its bytes, line ends included. An answer is
data and never evaluated.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import Field, JsonValue, ValidationError

from looptool_kit.core.endpoint import Endpoint, EndpointError
from looptool_kit.core.samples import Frozen, Label, Message, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import Request, json_object

F = TypeVar("F", bound=Frozen)
MIN_CALLS_DOWN = 3
"""From this many calls on, none answered means that the endpoint is down, not that the questions are bad."""


class Call(Frozen):
    """A tool call in a form: both fields must be there."""

    name: str = Field(min_length=1)
    arguments: dict[str, JsonValue]

    def as_call(self) -> ToolCall:
        """The same as a call of the table."""
        return ToolCall(name=self.name, arguments=self.arguments)


class Prompt(NamedTuple):
    """One question, in the two turns that every chat model takes."""

    system: str
    user: str
    seed: int = 0
    """Tells repeated askings apart."""
    tools: Sequence[Tool] = ()
    """The only tools that calls in the answer may name."""


class Failed(NamedTuple):
    """A question without a usable answer."""

    reason: str
    raw: str = ""
    """What the model wrote, where it wrote anything."""


def ask(
    form: type[F],
    prompts: Sequence[Prompt],
    endpoint: Endpoint,
    store: Path,
    desc: str,
    *,
    temperature: float = 0.0,
    max_tokens: int = 2048,
    most: int | None = None,
) -> list[F | Failed]:
    """The answers in order, each of type `form` or `Failed`.

    Args:
        most: The budget, as `complete` takes it.

    Raises:
        EndpointError: The endpoint answers nothing at all. What was answered before is kept.
    """
    requests = [
        Request(
            messages=[{"role": "system", "content": p.system}, {"role": "user", "content": p.user}],
            temperature=temperature,
            max_tokens=max_tokens,
            seed=p.seed,
            schema=schema_of(form, p.tools),
        )
        for p in prompts
    ]
    replies = complete(requests, endpoint, store, desc, most) if requests else []
    if len(replies) >= MIN_CALLS_DOWN and all(r.text is None for r in replies):
        raise EndpointError(
            f"{desc}: {endpoint.base_url} answered none of {len(replies)} calls ({replies[0].error}). Nothing"
            " that was answered before is lost: fix the endpoint and start the same command again."
        )
    return [read(form, r.text) if r.text is not None else Failed(f"not answered: {r.error}") for r in replies]


def read(form: type[F], text: str) -> F | Failed:
    """An answer's text as `form`.

    One JSON object, no field unknown or missing, nothing converted.
    """
    try:
        return form.model_validate(json_object(text))
    except ValidationError as error:
        first = error.errors()[0]
        return Failed(
            f"not in the form asked for: {'.'.join(map(str, first['loc'])) or 'the object'}: {first['msg']}",
            text,
        )
    except ValueError as error:
        return Failed(f"not JSON as asked for: {error}", text)


def schema_of(form: type[Frozen], tools: Sequence[Tool] = ()) -> dict[str, Any]:
    """The JSON Schema of a form, without our own descriptions.

    Calls in it name `tools` alone.
    """
    schema = _schema(form)
    if not tools or "Call" not in schema.get("$defs", {}):
        return schema
    schema = copy.deepcopy(schema)
    schema["$defs"]["Call"]["properties"]["name"] = {"enum": [t.name for t in tools]}
    return schema


@lru_cache
def _schema(form: type[Frozen]) -> dict[str, Any]:
    schema: dict[str, Any] = _bare(form.model_json_schema())
    return schema


def _bare(schema: Any, names: bool = False) -> Any:
    """The schema without titles and descriptions.

    A changed docstring must not change a request that has been paid for.
    """
    if isinstance(schema, list):
        return [_bare(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = set() if names else {"title", "description"}
    return {k: _bare(v, names=k in ("properties", "$defs")) for k, v in schema.items() if k not in dropped}


# --------------------------------------------------------------------- prompts


def part(title: str, value: Any) -> str:
    """One part of a prompt.

    A heading and a value as JSON (a text as it is).
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return f"## {title}\n{text}\n"


def tools_part(tools: Sequence[Tool]) -> str:
    """The tools on offer."""
    return part("Tools on offer", [t.model_dump() for t in tools])


def dialogue_part(messages: Sequence[Message], title: str = "Dialogue so far") -> str:
    """The context of a sample."""
    return part(title, [m.model_dump(exclude_defaults=True) | {"content": m.content} for m in messages])


def answer_part(title: str, answer: Label | Answer) -> str:
    """A label or a prediction.

    One that could not be read is shown as it was written.
    """
    if isinstance(answer, Answer) and answer.error:
        return part(title, {"written": answer.text, "problem": f"{answer.error}: {answer.detail}"})
    reply = answer.reply if isinstance(answer, Label) else answer.text
    return part(title, {"calls": [c.model_dump() for c in answer.calls], "reply": reply})
