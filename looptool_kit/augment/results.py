"""Perturbations of tool results.

They are noise beside the values, another format, and a call that failed (COVERT, arXiv 2604.09813). Values
are never changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from looptool_kit.augment.edits import saying, updated
from looptool_kit.core.samples import Label, Message, Sample, Samples, ToolCall

Result = dict[str, Any]
MIN_FIELDS, MAX_FIELDS = 2, 4
"""Fields that `noisy_result` adds to one result."""

FAILURES = (
    "The service did not answer in time. Nothing was done; send the same call again.",
    "503 Service Unavailable: the call was not carried out. Repeat it unchanged.",
    "The connection was lost before the call was processed. Please retry it as it is.",
    "Internal error, the request was dropped before it ran. Try the same request again.",
    "Temporarily unavailable. The call had no effect; retry now.",
    "Gateway timeout: the backend was not reached. Retry this call.",
)
"""Errors of a call that did nothing. Each says to repeat it: what to do is in doubt where an error does not.
"""


def _hex(rng: Random, length: int) -> str:
    return f"{rng.getrandbits(4 * length):0{length}x}"


_NOISE: dict[str, Callable[[Random], Any]] = {
    "request_id": lambda r: f"req_{_hex(r, 10)}",
    "trace_id": lambda r: _hex(r, 16),
    "took_ms": lambda r: r.randint(12, 940),
    "api_version": lambda r: f"v{r.randint(1, 4)}.{r.randint(0, 9)}",
    "served_by": lambda r: f"node-{r.choice('abcdefgh')}",
    "warnings": lambda r: [],
    "deprecation": lambda r: "This endpoint gets another name in the next version.",
    "docs": lambda r: "See the developer portal for a description of all fields.",
    "promo": lambda r: r.choice(
        (
            "Did you know? Our premium plan answers twice as fast.",
            "Tell a friend about us and you both get a discount.",
            "Rate our app and help us improve.",
        )
    ),
    "debug": lambda r: {"shard": r.randint(1, 64), "retries": 0, "fallback": False},
    "rate_limit": lambda r: {"remaining": r.randint(20, 990), "window": "minute"},
    "schema_hash": lambda r: _hex(r, 8),
}
"""What services add to an answer, and what no request of a user is about."""


def noisy_result(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Fields that nobody asked for, in every JSON result: ids, timings, notices.

    None of them has a name that the result, the tools or the label know.
    """
    known = set(re.findall(r"\w+", " ".join(t.model_dump_json() for t in sample.tools)))
    texts = {}
    for at, result in _results(sample):
        names = [n for n in _NOISE if n not in known and n not in _keys(result)]
        fields: list[tuple[str, Any]] = list(result.items())
        for name in rng.sample(names, min(len(names), rng.randint(MIN_FIELDS, MAX_FIELDS))):
            fields.insert(rng.randint(0, len(fields)), (name, _NOISE[name](rng)))
        texts[at] = json.dumps(dict(fields), ensure_ascii=False)
    return saying(sample, texts) if texts else None


def other_result_format(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Write every JSON result in another format.

    Indented lines, XML, a table, an envelope. All of a sample's results take the same one. Values stand
    in it to the letter.
    """
    results = dict(_results(sample))
    for form in rng.sample(_FORMS, len(_FORMS)):
        texts = {at: form(result) for at, result in results.items()}
        if texts and None not in texts.values():
            return saying(sample, {at: text for at, text in texts.items() if text is not None})
    return None


def failed_result(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Replace the last result by an error that says to retry.

    So the label is that call. It applies where the dialogue ends on the result of one call. What the user
    wants next cannot be said without the result, and the error leaves one thing to do: the call had no
    effect, and is to be sent again. Errors that leave a choice (give up, ask, do something else) have no
    exact label and are not made.
    """
    if len(sample.messages) < 2:
        return None
    call, result = _only_call(sample.messages[-2]), sample.messages[-1]
    if call is None or result.role != "tool" or sample.tool(call.name) is None or _failed(result.content):
        return None
    error: Result = {"error": rng.choice(FAILURES)}
    if rng.random() < 0.3:
        error["retryable"] = True
    failed = saying(sample, {len(sample.messages) - 1: json.dumps(error)})
    return updated(failed, label=Label(calls=(call,)), kind="multi_step")


def _only_call(message: Message) -> ToolCall | None:
    return message.tool_calls[0] if len(message.tool_calls) == 1 else None


def _failed(content: str) -> bool:
    result = _parsed(content)
    return result is not None and "error" in result


def _results(sample: Sample) -> Iterator[tuple[int, Result]]:
    """The results that are JSON objects, errors left out: (index of the message, result)."""
    for at, m in enumerate(sample.messages):
        result = _parsed(m.content) if m.role == "tool" else None
        if result and "error" not in result:
            yield at, result


def _parsed(content: str) -> Result | None:
    try:
        value = json.loads(content)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _keys(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(_keys, value))
    return set(value).union(*map(_keys, value.values())) if isinstance(value, dict) else set()


# -------------------------------------------------------------- formats


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _plain(value: Any) -> bool:
    """Whether all strings and names in it can stand outside of JSON as they are."""
    if isinstance(value, dict):
        return all(re.fullmatch(r"[A-Za-z_]\w*", k) and _plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return not isinstance(value, str) or (
        value == value.strip() != "" and not re.search(r"[\n\r<>&|]", value)
    )


def _as_lines(result: Result) -> str | None:
    """Indented `key: value` lines, items behind a dash."""

    def lines(value: Any, indent: str) -> Iterator[str]:
        for key, v in value.items():
            if isinstance(v, dict) and v:
                yield f"{indent}{key}:"
                yield from lines(v, indent + "  ")
            elif isinstance(v, list) and v:
                yield f"{indent}{key}:"
                for item in v:
                    yield from items(item, indent + "  ")
            else:
                yield f"{indent}{key}: {_scalar(v)}"

    def items(item: Any, indent: str) -> Iterator[str]:
        if isinstance(item, dict) and item:
            first, *rest = lines(item, indent + "  ")
            yield f"{indent}- {first.strip()}"
            yield from rest
        else:
            yield f"{indent}- {_scalar(item)}"

    return "\n".join(lines(result, "")) if _plain(result) else None


def _as_xml(result: Result) -> str | None:
    """One element a field, `item` for those of a list; None where a value would need escapes."""

    def element(name: str, value: Any) -> str:
        if isinstance(value, dict):
            inside = "".join(element(k, v) for k, v in value.items())
        elif isinstance(value, list):
            inside = "".join(element("item", v) for v in value)
        else:
            inside = _scalar(value)
        return f"<{name}>{inside}</{name}>"

    return element("response", result) if _plain(result) else None


def _as_table(result: Result) -> str | None:
    """The one list of flat records as a Markdown table, other fields above it."""
    lists = [
        k for k, v in result.items() if isinstance(v, list) and v and all(isinstance(r, dict) for r in v)
    ]
    rest = {k: v for k, v in result.items() if k not in lists}
    if len(lists) != 1 or not _plain(result) or any(isinstance(v, dict | list) for v in rest.values()):
        return None
    rows = result[lists[0]]
    heads = list(rows[0])
    if any(list(r) != heads or any(isinstance(v, dict | list) for v in r.values()) for r in rows):
        return None
    above = [f"{k}: {_scalar(v)}" for k, v in rest.items()]
    cells = [heads, ["---"] * len(heads), *([_scalar(v) for v in r.values()] for r in rows)]
    return "\n".join([*above, f"{lists[0]}:", *(f"| {' | '.join(row)} |" for row in cells)])


def _in_envelope(result: Result) -> str | None:
    """The result inside the object that many services wrap theirs in."""
    return json.dumps({"ok": True, "code": 200, "data": result}, ensure_ascii=False)


_FORMS: tuple[Callable[[Result], str | None], ...] = (_as_lines, _as_xml, _as_table, _in_envelope)
