"""Parse, render and match tool calls.

The one parser and the one matcher of the project.

The wire form is Hermes': each call is `<tool_call>` + a JSON object with exactly `name` and `arguments` +
`</tool_call>`. Data, reward, probe and evaluation all go through `parse` and `match`; nothing here ever
evaluates what a model wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from looptool_kit.core.json_text import DECODER, SPACE, first_json
from looptool_kit.core.quick_calls import made, quick_call
from looptool_kit.core.samples import QUESTION_MARKS, Frozen, Label, Message, Tool, ToolCall

ParseError = Literal["unparsable", "truncated"]
OPEN, CLOSE = "<tool_call>", "</tool_call>"
SPECIAL = (
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    OPEN,
    CLOSE,
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
)
"""What chat templates mark up with. No label may hold one as text (`rules.markup_errors`)."""


class Answer(Frozen):
    """What a model said, parsed.

    Calls, the text around them, or why it could not be read.
    """

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    """Text outside calls and thinking, stripped."""
    error: ParseError | None = None
    detail: str = ""
    """Where and why parsing failed."""

    @property
    def label(self) -> Label:
        """The label that says the same; a question wants a question."""
        if self.calls:
            return Label(calls=self.calls)
        return Label(reply=self.text, asks=self.text.rstrip().endswith(QUESTION_MARKS))

    @classmethod
    def of(cls, label: Label) -> Answer:
        """Make the answer that a label describes."""
        return cls(calls=label.calls, text=label.reply)


# ---------------------------------------------------------------- parse


_TAG = re.compile(f"{OPEN}|<think>")


def parse(text: str, finish_reason: str = "stop") -> Answer:
    """Parse a completion into an `Answer`; never raises.

    White space, several calls, text around the calls and `<think>` blocks are accepted. JSON is strict. An
    answer is "unparsable" where a key appears twice, where there is a NaN, an infinity or a lone surrogate,
    and where a call is not one object with exactly `name` (string) and `arguments` (object). A completion cut
    at the length limit (`finish_reason="length"`) is "truncated", whatever it holds.
    """
    if finish_reason == "length":
        return Answer(text=text.strip(), error="truncated", detail="cut at the length limit")
    if answer := _plain_calls(text):
        return answer
    calls: list[ToolCall] = []
    outside: list[str] = []
    at = _end_of_leading_thought(text)
    try:
        while tag := _TAG.search(text, at):
            if words := text[at : tag.start()].strip():
                outside.append(words)
            if tag[0] == OPEN:
                call, at = _call(text, tag.end())
                calls.append(call)
            else:
                end = text.find("</think>", tag.end())
                if end < 0:
                    raise ValueError("a <think> block is not closed")
                at = end + len("</think>")
        if words := text[at:].strip():
            outside.append(words)
        spoken = " ".join(outside)
        if CLOSE in spoken:
            raise ValueError(f"a {CLOSE} without {OPEN}")
        return _answer(calls, spoken)
    except (ValueError, RecursionError) as error:
        return Answer(
            text=text.strip(),
            error="unparsable",
            detail=str(error).split("\n")[0][:300] or type(error).__name__,
        )


def _end_of_leading_thought(text: str) -> int:
    # Templates that open <think> in the prompt leave only the closing tag in the completion.
    end = text.find("</think>")
    return end + len("</think>") if 0 <= end and "<think>" not in text[:end] and OPEN not in text[:end] else 0


def _call(text: str, at: int) -> tuple[ToolCall, int]:
    end = text.find(CLOSE, at)
    if end > 0 and (call := quick_call(text[at:end])):
        return call, end + len(CLOSE)
    return _strict_call(text, at)


_BETWEEN = f"{CLOSE}\n{OPEN}"
"""What stands between two calls of a policy."""
_ANSWER_FIELDS = {"calls", "text"}


def _plain_calls(text: str) -> Answer | None:
    """The answer that is calls and nothing else, as policies write them; None where it may be another."""
    if not text.startswith(OPEN) or not text.endswith(CLOSE):
        return None
    calls = []
    for body in text[len(OPEN) : -len(CLOSE)].split(_BETWEEN):
        call = quick_call(body)
        if call is None:
            return None
        calls.append(call)
    return _answer(calls, "")


def _answer(calls: list[ToolCall], text: str) -> Answer:
    return made(Answer, {"calls": tuple(calls), "text": text, "error": None, "detail": ""}, _ANSWER_FIELDS)


def _strict_call(text: str, at: int) -> tuple[ToolCall, int]:
    value, at = first_json(text, at)
    at = SPACE.match(text, at).end()  # type: ignore[union-attr]
    if not text.startswith(CLOSE, at):
        raise ValueError(f"{CLOSE} is missing at character {at}")
    if not isinstance(value, dict) or len(value) != 2 or "name" not in value or "arguments" not in value:
        raise ValueError("a call is an object with exactly name and arguments")
    name, arguments = value["name"], value["arguments"]
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        raise ValueError("name must be a non-empty string and arguments an object")
    # Strictly read JSON is valid as it stands: pydantic's own check would take most of the time.
    return ToolCall.model_construct(name=name, arguments=arguments), at + len(CLOSE)


# --------------------------------------------------------------- render


def render_calls(calls: Iterable[ToolCall]) -> str:
    """Calls in the wire form that a policy is trained to write.

    Arguments keep their order.
    """
    return "\n".join(
        f"{OPEN}\n{json.dumps({'name': c.name, 'arguments': c.arguments}, ensure_ascii=False)}\n{CLOSE}"
        for c in calls
    )


def render_answer(answer: Label | Answer) -> str:
    """Write a label or an answer as the assistant's text.

    `parse` of it gives the same calls and text back.
    """
    text = answer.reply if isinstance(answer, Label) else answer.text
    return "\n".join(part for part in (text, render_calls(answer.calls)) if part)


@lru_cache
def chat_template() -> str:
    """The project's chat template: Jinja, ChatML with a tools branch.

    It is set on tokenizers whose own template has no tools branch.
    """
    return files(__package__).joinpath("chat_template.jinja").read_text(encoding="utf-8")


@lru_cache
def _template() -> Any:
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    env.filters["tojson"] = lambda value, **_: json.dumps(value, ensure_ascii=False)
    return env.from_string(chat_template())


def chat(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages in the OpenAI form that chat templates take."""
    out = []
    for m in messages:
        turn: dict[str, Any] = {"role": m.role, "content": m.content}
        if m.name:
            turn["name"] = m.name
        if m.tool_calls:
            turn["tool_calls"] = [
                {"type": "function", "function": {"name": c.name, "arguments": c.arguments}}
                for c in m.tool_calls
            ]
        out.append(turn)
    return out


def tool_schemas(tools: Sequence[Tool]) -> list[dict[str, Any]]:
    """Tools in the OpenAI form."""
    return [{"type": "function", "function": t.model_dump()} for t in tools]


def render_prompt(tools: Sequence[Tool], messages: Sequence[Message]) -> str:
    """Write the prompt up to the assistant's answer.

    By the project's template.
    """
    return render_turns(chat(messages), tool_schemas(tools))


def render_turns(turns: Sequence[dict[str, Any]], schemas: Sequence[dict[str, Any]]) -> str:
    """`render_prompt` of what `chat` and `tool_schemas` give."""
    text: str = _template().render(messages=turns, tools=schemas or None, add_generation_prompt=True)
    return text


def marker_places(text: str) -> dict[int, str]:
    """Place -> `<tool_call>` or `</tool_call>`, where these mark up a call.

    Those inside arguments are left out. From a call on that cannot be read, every one counts as markup.
    """
    places: dict[int, str] = {}
    at = 0
    while (start := text.find(OPEN, at)) >= 0:
        try:
            _, end = DECODER.raw_decode(text, SPACE.match(text, start + len(OPEN)).end())  # type: ignore[union-attr]
            at = SPACE.match(text, end).end()  # type: ignore[union-attr]
        except (ValueError, RecursionError):
            return places | {m.start(): m[0] for m in re.compile(f"{OPEN}|{CLOSE}").finditer(text, start)}
        places[start] = OPEN
        if text.startswith(CLOSE, at):
            places[at] = CLOSE
            at += len(CLOSE)
    return places


# ---------------------------------------------------------------- match


def canonical(value: Any) -> str:
    """A text that is equal for equal JSON values.

    The order of keys is ignored, that of arrays kept; booleans are not integers; 1 equals 1.0.
    """
    return json.dumps(_integral(value), sort_keys=True, separators=(",", ":"))


def _integral(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {k: _integral(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_integral(v) for v in value]
    return value


def canonical_calls(calls: Iterable[ToolCall]) -> tuple[str, ...]:
    """The calls as a sorted multiset of canonical texts."""
    return tuple(sorted(canonical([c.name, c.arguments]) for c in calls))


class MatchOptions(NamedTuple):
    """Departures from strict ToolMatch (method, section 3); all are off in training."""

    ignore_defaults: bool = False
    """An argument that equals its schema's default counts as not given."""
    loose_strings: bool = False
    """Strings compare as BFCL's checker has it: in lower case, without the characters ` ,./-_*^` and quotes.
    """


STRICT = MatchOptions()


def match(
    a: Answer | Label, b: Answer | Label, options: MatchOptions = STRICT, tools: Sequence[Tool] = ()
) -> bool:
    """Tell whether two answers hold the same multiset of calls (ToolMatch).

    An answer that did not parse matches nothing, not even itself. Plain replies match each other; what a
    reply must say is the business of `grading.grade`.

    Args:
        tools: Needed for `ignore_defaults`.
    """
    # Not by `isinstance`, which pydantic answers in Python where the type is another.
    if (type(a) is Answer and a.error) or (type(b) is Answer and b.error):
        return False
    if options is STRICT or options == STRICT:
        return _same_calls(a.calls, b.calls)
    schemas = {t.name: t for t in tools}
    return _relaxed(a.calls, options, schemas) == _relaxed(b.calls, options, schemas)


def _same_calls(a: Sequence[ToolCall], b: Sequence[ToolCall]) -> bool:
    """Whether `canonical_calls` of both would be equal, several times faster."""
    if len(a) != len(b):
        return False
    for call, other in zip(a, b, strict=True):
        if call.name != other.name or not _same(call.arguments, other.arguments):
            break
    else:  # in the same order, as nearly always
        return True
    if len(a) == 1:
        return False
    if len(a) > 8:  # below, each call may be compared with each
        return canonical_calls(a) == canonical_calls(b)
    rest = list(b)
    for call in a:
        for place, other in enumerate(rest):
            if call.name == other.name and _same(call.arguments, other.arguments):
                del rest[place]
                break
        else:
            return False
    return True


def _same(a: Any, b: Any) -> bool:
    """JSON value equality as `canonical` has it."""
    kind = type(a)
    if kind is str or kind is bool or a is None:
        return type(b) is kind and a == b
    if kind is dict:
        if type(b) is not dict or len(a) != len(b):
            return False
        for key, value in a.items():
            if key not in b:
                return False
            other = b[key]
            if type(value) is str:  # of which arguments have most: without another call
                if value != other:
                    return False
            elif value is not other and not _same(value, other):  # booleans and small numbers are one
                return False
        return True
    if kind is list or kind is tuple:
        if type(b) not in (list, tuple) or len(a) != len(b):
            return False
        for value, other in zip(a, b, strict=True):
            if value != other if type(value) is str else not _same(value, other):
                return False
        return True
    return type(b) in _NUMBERS and (a == b or (a != a and b != b))


_NUMBERS = frozenset({int, float})


def _relaxed(calls: Iterable[ToolCall], options: MatchOptions, schemas: dict[str, Tool]) -> tuple[str, ...]:
    out = []
    for call in calls:
        arguments: dict[str, Any] = dict(call.arguments)
        if options.ignore_defaults and call.name in schemas:
            for key, schema in schemas[call.name].properties.items():
                has_default = key in arguments and isinstance(schema, dict) and "default" in schema
                if has_default and canonical(schema["default"]) == canonical(arguments[key]):
                    del arguments[key]
        out.append(canonical([call.name, _loose(arguments) if options.loose_strings else arguments]))
    return tuple(sorted(out))


_DROPPED = re.compile(r"[ \,\.\/\-\_\*\^]")


def loose(text: str) -> str:
    """A string as BFCL's checker compares it."""
    return _DROPPED.sub("", text).lower().replace("'", '"')


def _loose(value: Any) -> Any:
    if isinstance(value, str):
        return loose(value)
    if isinstance(value, dict):
        return {k: _loose(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_loose(v) for v in value]
    return value
