"""Samples as rows of the forms in which others keep tool-calling data; `formats` describes the forms and
reads them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from looptool_kit.core.samples import Message, Sample
from looptool_kit.core.toolcalls import render_calls, render_prompt, tool_schemas


def to_row(sample: Sample, form: str, index: int = 0) -> dict[str, Any]:
    """One sample as a row of that form."""
    makers: dict[str, Callable[[Sample], dict[str, Any]]] = {
        "openai": _to_openai,
        "sharegpt": _to_sharegpt,
        "hermes": _to_hermes,
        "xlam": _to_xlam,
    }
    if form == "looptool":
        return sample.model_dump(mode="json")
    return _to_verl(sample, index) if form == "verl" else makers[form](sample)


def _turns(sample: Sample) -> list[Message]:
    answer = Message(
        role="assistant",
        content="" if sample.label.calls else sample.label.reply,
        tool_calls=sample.label.calls,
    )
    return [*sample.messages, answer]


def _to_openai(sample: Sample) -> dict[str, Any]:
    messages, waiting, count = [], list[tuple[str, str]](), 0
    for m in _turns(sample):
        turn: dict[str, Any] = {"role": m.role, "content": m.content}
        if m.tool_calls:
            turn["content"] = m.content or None
            waiting = [(f"call_{count + i}", c.name) for i, c in enumerate(m.tool_calls)]
            count += len(waiting)
            turn["tool_calls"] = [
                {
                    "id": i,
                    "type": "function",
                    "function": {"name": c.name, "arguments": json.dumps(c.arguments, ensure_ascii=False)},
                }
                for (i, _), c in zip(waiting, m.tool_calls, strict=True)
            ]
        elif m.role == "tool":
            own = next(
                (w for w in waiting if w[1] == m.name), waiting[0] if waiting else (f"call_{count}", "")
            )
            waiting = [w for w in waiting if w != own]
            turn |= {"tool_call_id": own[0]} | ({"name": m.name} if m.name else {})
        messages.append(turn)
    return {"messages": messages, "tools": tool_schemas(sample.tools)}


def _to_sharegpt(sample: Sample) -> dict[str, Any]:
    turns, system = [], ""
    for m in _turns(sample):
        if m.role == "system":
            system = m.content
        elif m.tool_calls:
            if m.content:
                raise ValueError(
                    f"sample {sample.id}: a turn with words and calls has no place in sharegpt; take openai"
                    " or hermes"
                )
            calls = [c.model_dump() for c in m.tool_calls]
            turns.append(
                {
                    "from": "function_call",
                    "value": json.dumps(calls if len(calls) > 1 else calls[0], ensure_ascii=False),
                }
            )
        elif m.role == "tool" and turns and turns[-1]["from"] == "observation":
            turns[-1]["value"] += _response(m.content)
        else:
            several = m.role == "tool" and turns and turns[-1]["value"].startswith("[")
            names = {"user": "human", "assistant": "gpt", "tool": "observation"}
            turns.append({"from": names[m.role], "value": _response(m.content) if several else m.content})
    tools = json.dumps([t.model_dump() for t in sample.tools], ensure_ascii=False)
    return {"conversations": turns, "tools": tools} | ({"system": system} if system else {})


def _response(content: str) -> str:
    return f"<tool_response>\n{content}\n</tool_response>"


def _to_hermes(sample: Sample) -> dict[str, Any]:
    turns = [{"from": "system", "value": system}] if (system := _system_text(sample)) else []
    for m in _turns(sample)[_has_system(sample) :]:
        if m.role == "tool" and turns[-1]["from"] == "tool":
            turns[-1]["value"] += "\n" + _response(m.content)
        elif m.role == "tool":
            turns.append({"from": "tool", "value": _response(m.content)})
        else:
            text = "\n".join(p for p in (m.content, render_calls(m.tool_calls)) if p)
            turns.append({"from": "human" if m.role == "user" else "gpt", "value": text})
    return {"conversations": turns}


def _to_xlam(sample: Sample) -> dict[str, Any]:
    if [m.role for m in sample.messages if m.role != "system"] != ["user"] or not sample.label.calls:
        raise ValueError(
            f"sample {sample.id} ({sample.kind or 'unnamed'}) is no single request answered by calls, and"
            " xlam holds nothing else"
        )
    if sample.messages[0].role == "system":
        raise ValueError(
            f"sample {sample.id} has a system message, for which xlam has no place; take openai, sharegpt or"
            " hermes"
        )
    answers = [c.model_dump() for c in sample.label.calls]
    return {
        "query": sample.request,
        "tools": json.dumps([t.model_dump() for t in sample.tools], ensure_ascii=False),
        "answers": json.dumps(answers, ensure_ascii=False),
    }


def _to_verl(sample: Sample, index: int) -> dict[str, Any]:
    """A row for verl's RL trainers: tools and earlier calls are written into the turns' text, for verl hands
    every row the same tools or none.
    """
    return {
        "data_source": "looptool",
        "prompt": plain_turns(sample),
        "ability": "tool_calling",
        "reward_model": {"style": "rule", "ground_truth": sample.label.model_dump_json()},
        "extra_info": {
            "split": sample.split,
            "index": index,
            "sample_id": sample.id,
            "kind": sample.kind,
            "sample": sample.model_dump_json(),
        },
    }


def plain_turns(sample: Sample) -> list[dict[str, str]]:
    """The context as role / content turns only: a plain ChatML template renders them to the very bytes of
    `toolcalls.render_prompt`.
    """
    turns = [{"role": "system", "content": system}] if (system := _system_text(sample)) else []
    for m in sample.messages[_has_system(sample) :]:
        if m.role == "tool":
            turns.append({"role": "user", "content": _response(m.content)})
        else:
            turns.append(
                {
                    "role": m.role,
                    "content": "\n".join(p for p in (m.content, render_calls(m.tool_calls)) if p),
                }
            )
    return turns


def _has_system(sample: Sample) -> bool:
    return bool(sample.messages) and sample.messages[0].role == "system"


def _system_text(sample: Sample) -> str:
    """The system turn as the project's template renders it: the tools, then the sample's own system message."""
    rendered = render_prompt(sample.tools, sample.messages[: _has_system(sample)])
    start, end = "<|im_start|>system\n", "<|im_end|>\n<|im_start|>assistant\n"
    return rendered.removeprefix(start).removesuffix(end) if rendered.startswith(start) else ""
