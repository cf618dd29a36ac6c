"""Datasets in and out: the forms in which others keep tool-calling data.

| form | a row |
| --- | --- |
| `openai` | `messages` (with `tool_calls`, arguments as JSON text) and `tools`, as for OpenAI's fine-tuning |
| `sharegpt` | `conversations` of `from` / `value` with `function_call` and `observation` turns, `system`, `tools` (JSON text), as for LLaMA-Factory |
| `hermes` | `conversations` of `from` / `value`, calls as `<tool_call>` text, tools in a `<tools>` block of the system turn |
| `xlam` | `query`, `tools`, `answers` (the latter two JSON text), as in xLAM's and APIGen's data |
| `verl` | `data_source`, `prompt`, `ability`, `reward_model`, `extra_info`: `docs/verl.md` |
| `looptool` | our own rows |

`read` finds the form out. A dialogue gives one sample for each assistant turn; a row that cannot be used is
reported with its number and set aside.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.tables import atomic
from looptool_kit.core.toolcalls import parse, strict_json
from looptool_kit.formats.write import plain_turns, to_row
from looptool_kit.tools.schema import plain_parameters

__all__ = ["FORMS", "Form", "fitting", "form_named", "form_of", "plain_turns", "read", "to_row", "write"]

Form = Literal["openai", "sharegpt", "hermes", "xlam", "verl", "looptool"]
FORMS: tuple[Form, ...] = get_args(Form)
OnReject = Callable[[int, str, str], None]
Turn = tuple[str, str, tuple[ToolCall, ...], str | None]
"""Role, content, calls, tool name."""

# ---------------------------------------------------------------------- read


def read(path: str | Path, on_reject: OnReject | None = None, form: Form | None = None) -> Samples:
    """The samples of a file (.jsonl, .json, .parquet) or of a folder that `datasets` has saved, in any of the
    forms.

    `on_reject(row, raw, reason)` is called for each row that cannot be used, and the good ones are returned;
    without it the first such row raises `ValueError` naming file, row and reason. Rows count from 1. What no
    row says is left open: a plain reply counts as right whatever it says.
    """
    return Samples(_read(Path(path), on_reject, form))


def convert(path: Path, out: Path, aside: Path, form: Form | None = None) -> tuple[int, int, str]:
    """Write the samples of a file to `out` (.jsonl, .parquet) row by row, holding none, and the rows that
    cannot be used to `aside`.

    Returns how many samples and rejected rows there are, and the first of these in words; `aside` is not made
    where there are none.
    """
    count, bad, first = 0, 0, ""
    with (
        atomic(aside) as unfinished,
        open(unfinished, "w", encoding="utf-8", errors="backslashreplace") as lines,
    ):

        def set_aside(row: int, raw: str, reason: str) -> None:
            nonlocal bad, first
            first = first or f"row {row}: {reason}"
            bad += 1
            lines.write(
                json.dumps({"file": str(path), "row": row, "reason": reason, "raw": raw}, ensure_ascii=False)
                + "\n"
            )

        def counted() -> Iterator[Sample]:
            nonlocal count
            for sample in _read(path, set_aside, form):
                count += 1
                yield sample

        Samples.write_rows(out, counted())
    if not bad:
        aside.unlink()
    return count, bad, first


def _read(path: Path, on_reject: OnReject | None, form: Form | None) -> Iterator[Sample]:
    seen: set[str] = set()
    for number, raw, row in _rows(path):
        try:
            if isinstance(row, Exception):
                raise ValueError(str(row))
            samples = list(_samples(row, form or form_of(row), f"file:{path.name}"))
            wrong = [
                f"{c.name}: {c.detail}"
                for s in samples
                for c in check_sample(s)
                if not c.passed and c.name != "grounding"
            ]
            if wrong or not samples:
                raise ValueError(wrong[0] if wrong else "it holds no assistant turn to learn from")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = (
                f"{type(error).__name__}: {error}"
                if isinstance(error, KeyError | AttributeError)
                else str(error)
            )
            if on_reject is None:
                raise ValueError(f"{path}, row {number}: {reason}") from None
            on_reject(number, raw, reason)
            continue
        for sample in samples:
            if sample.id not in seen:
                seen.add(sample.id)
                yield sample


def form_of(row: Any) -> Form:
    """The form that a row is in. Raises `ValueError` where it is none of them."""
    if not isinstance(row, Mapping):
        raise ValueError(f"a row is an object, not {str(row)[:40]!r}")
    if "reward_model" in row and "prompt" in row:
        return "verl"
    if "messages" in row:
        return "looptool" if "label" in row else "openai"
    if "query" in row and "answers" in row:
        return "xlam"
    if "conversations" in row:
        turns = _json(row["conversations"]) or []
        told = {t.get("from") for t in turns if isinstance(t, Mapping)}
        return "sharegpt" if told & {"function_call", "observation"} or row.get("tools") else "hermes"
    raise ValueError(f"the keys {', '.join(list(row)[:6])} belong to none of the forms {', '.join(FORMS)}")


def form_named(name: str) -> Form:
    """The form of that name; `ValueError` naming those there are."""
    for form in FORMS:
        if form == name:
            return form
    raise ValueError(f"there is no form {name!r}; choose one of {', '.join(FORMS)}")


def _rows(path: Path) -> Iterator[tuple[int, str, Any]]:
    """(row number, raw text, row or what is wrong with it)."""
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_dir():
        files = sorted(f for f in path.glob("**/*.arrow") if not f.name.startswith("cache-"))
        if not files:
            raise ValueError(
                f"{path} holds no .arrow file: give a folder written by `datasets` (save_to_disk), or a file"
            )
        yield from _table_rows(_arrow_tables(files))
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        yield from _table_rows(pq.ParquetFile(path).iter_batches(1024))
    elif path.suffix == ".jsonl":
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield (
                        number,
                        line.decode("utf-8", "replace").strip(),
                        _loaded(line.decode("utf-8-sig", "replace")),
                    )
    else:
        document = _loaded(path.read_text(encoding="utf-8-sig"))
        if not isinstance(document, list):
            raise ValueError(
                f"{path} is no JSON list ({document}); a file with one row a line is to end in .jsonl"
            )
        for number, row in enumerate(document, 1):
            yield number, json.dumps(row, ensure_ascii=False), row


def _loaded(text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError as error:
        return error


def _arrow_tables(files: Iterable[Path]) -> Iterator[Any]:
    import pyarrow as pa

    for file in files:
        with pa.memory_map(str(file)) as source:
            yield from pa.ipc.open_stream(source)


def _table_rows(batches: Iterable[Any]) -> Iterator[tuple[int, str, Any]]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield number, json.dumps(row, default=str, ensure_ascii=False), row


def _json(value: Any) -> Any:
    """A value that may be kept as JSON text."""
    return strict_json(value) if isinstance(value, str) and value.strip()[:1] in ("[", "{") else value


def _samples(row: Mapping[str, Any], form: Form, source: str) -> Iterator[Sample]:
    if form == "looptool":
        names = set(Sample.model_fields)
        nested = {
            k: _json(v) if k in ("tools", "messages", "label", "meta") else v
            for k, v in row.items()
            if k in names and v is not None
        }
        yield Sample.model_validate(nested)
    elif form == "verl":
        yield _from_verl(row, source)
    elif form == "xlam":
        tools = _tools(row.get("tools"))
        calls = tuple(_call(c) for c in _json(row["answers"]) or [])
        if not isinstance(row["query"], str) or not calls:
            raise ValueError("`query` must be text and `answers` a list with at least one call")
        yield _sample(tools, [("user", row["query"], (), None)], Label(calls=calls), source)
    else:
        tools, turns = {"openai": _from_openai, "sharegpt": _from_sharegpt, "hermes": _from_sharegpt}[form](
            row
        )
        yield from _each_turn(tools, turns, source)


def _each_turn(tools: tuple[Tool, ...], turns: list[Turn], source: str) -> Iterator[Sample]:
    for at, (role, content, calls, _) in enumerate(turns):
        if role == "assistant" and at:
            yield _sample(tools, turns[:at], Label(calls=calls) if calls else Label(reply=content), source)


def _sample(tools: tuple[Tool, ...], turns: Iterable[Turn], label: Label, source: str) -> Sample:
    messages = tuple(Message(role=r, content=c, tool_calls=calls, name=n) for r, c, calls, n in turns)  # type: ignore[arg-type]
    return Sample(
        tools=tools, messages=messages, label=label, kind="call" if label.calls else "reply", source=source
    )


def _tools(value: Any) -> tuple[Tool, ...]:
    """Tools in OpenAI form, bare, or with the flat parameters of xLAM rows."""
    return tuple(_tool(json.dumps(item, ensure_ascii=False, default=str)) for item in _json(value) or [])


@lru_cache(4096)
def _tool(text: str) -> Tool:
    """A tool given as JSON text. Rows share their tools, and checking a schema takes longer than all else of
    a row.
    """
    item = json.loads(text)
    function = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ValueError(f"a tool is an object with a name, not {str(item)[:60]!r}")
    parameters = _json(function.get("parameters"))
    if (
        isinstance(parameters, Mapping)
        and parameters
        and "properties" not in parameters
        and parameters.get("type") != "object"
    ):
        parameters = _flat(parameters)
    return Tool(
        name=function["name"],
        description=function.get("description") or "",
        parameters=plain_parameters(_without_none(parameters)),
    )


_PYTHON_TYPES = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object", "tuple": "array", "set": "array",
}  # fmt: skip


def _flat(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """xLAM's parameters (name -> type in Python's words, description, default) as JSON Schema; those with a
    default are optional.
    """
    properties, required = {}, []
    for name, p in parameters.items():
        p = p if isinstance(p, Mapping) else {"type": str(p)}
        kind, _, more = str(p.get("type") or "").partition(",")
        base, _, inner = kind.strip().rstrip("]").partition("[")
        schema: dict[str, Any] = {}
        if known := _PYTHON_TYPES.get(
            base.strip().lower(),
            base.strip().lower() if base.strip().lower() in _PYTHON_TYPES.values() else "",
        ):
            schema["type"] = known
        if known == "array" and (each := _PYTHON_TYPES.get(inner.strip().lower())):
            schema["items"] = {"type": each}
        schema |= {k: p[k] for k in ("description", "enum") if p.get(k)} | (
            {"default": p["default"]} if p.get("default") not in (None, "") else {}
        )
        properties[name] = schema
        if "optional" not in more and "default" not in p:
            required.append(name)
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _without_none(value: Any) -> Any:
    """Arrow fills the keys that a row does not have with None."""
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None or k == "default"}
    return [_without_none(v) for v in value] if isinstance(value, list) else value


def _call(item: Any) -> ToolCall:
    function = item.get("function", item) if isinstance(item, Mapping) else {}
    arguments = _json(function.get("arguments") or {})
    if not isinstance(function.get("name"), str) or not isinstance(arguments, dict):
        raise ValueError(f"a call is an object with name and arguments, not {str(item)[:80]!r}")
    return ToolCall(name=function["name"], arguments=arguments)


def _from_openai(row: Mapping[str, Any]) -> tuple[tuple[Tool, ...], list[Turn]]:
    turns: list[Turn] = []
    names: dict[str, str] = {}
    for m in _json(row["messages"]):
        listed = _json(m.get("tool_calls")) or []
        calls = tuple(_call(c) for c in listed)
        names |= {c["id"]: call.name for c, call in zip(listed, calls, strict=True) if c.get("id")}
        if m.get("function_call"):
            calls = (*calls, _call(m["function_call"]))
        content = m.get("content") or ""
        if isinstance(content, list):  # parts, as vision models take them
            content = "".join(p.get("text") or "" for p in content)
        role = {"developer": "system", "function": "tool"}.get(m["role"], m["role"])
        name = (m.get("name") or names.get(m.get("tool_call_id") or "")) if role == "tool" else None
        turns.append((role, content, calls, name))
    return _tools(row.get("tools") or row.get("functions")), turns


_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system", "tool": "tool", "observation": "tool",
          "function_call": "assistant", "function_response": "tool", "chatgpt": "assistant", "bard": "assistant"}  # fmt: skip


def _from_sharegpt(row: Mapping[str, Any]) -> tuple[tuple[Tool, ...], list[Turn]]:
    tools = _tools(row.get("tools"))
    turns: list[Turn] = [("system", str(row["system"]), (), None)] if row.get("system") else []
    for turn in _json(row["conversations"]):
        role, text = (
            _ROLES.get(str(turn.get("from") or turn.get("role"))),
            turn.get("value", turn.get("content")),
        )
        if role is None or not isinstance(text, str):
            raise ValueError(
                f"a turn has `from` ({', '.join(_ROLES)}) and a text `value`, not {str(turn)[:80]!r}"
            )
        calls: tuple[ToolCall, ...] = ()
        if turn.get("from") == "function_call":
            value = _json(text)
            calls, text = tuple(_call(c) for c in (value if isinstance(value, list) else [value])), ""
        elif role == "assistant":
            answer = parse(text)
            if answer.error:
                raise ValueError(f"an assistant turn is {answer.error}: {answer.detail}")
            calls, text = answer.calls, answer.text
        elif role == "system":
            listed, text = _listed_tools(text)
            tools = tools or listed
        elif role == "tool":
            results = _responses(text)
            asked = [c.name for c in turns[-1][2]] if turns else []
            turns += [("tool", r, (), asked[i] if i < len(asked) else None) for i, r in enumerate(results)]
            continue
        if role != "system" or text:
            turns.append((role, text, calls, None))
    return tools, turns


_OWN_LEAD = "You can call these functions."


def _listed_tools(text: str) -> tuple[tuple[Tool, ...], str]:
    """The tools of a `<tools>` block, and what our own system turns say after it; what others say around it
    explains the form of calls.
    """
    start, end = text.rfind("<tools>"), text.rfind("</tools>")
    if not 0 <= start < end:
        return (), text
    body = text[start + 7 : end].strip()
    items = (
        strict_json(body)
        if body.startswith("[")
        else [strict_json(line) for line in body.splitlines() if line.strip()]
    )
    return _tools(items), text[end + 8 :].strip() if text.startswith(_OWN_LEAD) else ""


def _responses(text: str) -> list[str]:
    parts = text.split("<tool_response>")[1:]
    return [p.split("</tool_response>")[0].strip() for p in parts] or [text]


def _from_verl(row: Mapping[str, Any], source: str) -> Sample:
    extra = row.get("extra_info") or {}
    if not extra.get("sample"):
        raise ValueError(
            "`extra_info.sample` is missing: only files that this package wrote can be read back, for a"
            " prompt alone does not tell its tools"
        )
    sample = Sample.model_validate(strict_json(extra["sample"]))
    label = Label.model_validate(strict_json(row["reward_model"]["ground_truth"]))
    return sample.model_copy(update={"label": label, "source": sample.source or source})


# --------------------------------------------------------------------- write


def write(samples: Iterable[Sample], path: str | Path, form: Form) -> Path:
    """Write samples in one of the forms; the file's ending chooses JSON lines (.jsonl), a JSON list (.json)
    or Parquet. Returns the path.

    A folder (no ending) is written by `datasets` (`save_to_disk`). What other forms have no place for is
    lost: split, origin, and what a plain reply must say; `looptool` and `verl` keep all. Raises `ValueError`
    where a sample does not fit the form, naming it.
    """
    path, samples = Path(path), Samples(samples)
    if form == "looptool" and path.suffix in (".jsonl", ".parquet"):
        return samples.write(path)
    rows = [to_row(s, form, at) for at, s in enumerate(samples)]
    if path.suffix in (".jsonl", ".json"):
        with atomic(path) as tmp:
            lines = [json.dumps(r, ensure_ascii=False) for r in rows]
            tmp.write_text(
                (
                    "\n".join(lines) + "\n"
                    if path.suffix == ".jsonl"
                    else json.dumps(rows, ensure_ascii=False, indent=1)
                ),
                encoding="utf-8",
            )
        return path
    import pyarrow as pa

    columns = pa.Table.from_pylist([r if form == "verl" else _as_text(r) for r in rows])
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with atomic(path) as tmp:
            pq.write_table(columns, tmp, compression="zstd")
        return path
    if path.suffix:
        raise ValueError(f"{path}: give a name that ends in .jsonl, .json or .parquet, or a folder")
    from datasets import Dataset

    Dataset(columns).save_to_disk(str(path))
    return path


def fitting(samples: Iterable[Sample], form: Form) -> tuple[Samples, list[str]]:
    """The samples that a form has a place for, and for each other one why not."""
    fit, why = list[Sample](), list[str]()
    for sample in samples:
        try:
            to_row(sample, form)
            fit.append(sample)
        except ValueError as error:
            why.append(str(error))
    return Samples(fit), why


def _as_text(row: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values as JSON text: the columns of a table have one type each, and arguments have any."""
    return {
        k: v if isinstance(v, str | int | float | None) else json.dumps(v, ensure_ascii=False)
        for k, v in row.items()
    }
