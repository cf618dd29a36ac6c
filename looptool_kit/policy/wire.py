"""A policy's own form: worked out from its chat template, and written by it.

What a label looks like is asked of the template: the rendered assistant turn without the prompt. So any
family is right by construction; what comes back is read by `core/wire`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import (
    CLOSE,
    OPEN,
    Answer,
    canonical_calls,
    chat,
    chat_template,
    match,
    render_answer,
    tool_schemas,
)
from looptool_kit.core.wire import detect
from looptool_kit.core.wire.form import BY_TEMPLATE, WireForm
from looptool_kit.core.wire.python_forms import write_lfm
from looptool_kit.policy.special_tokens import special_names

_SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}
_TOOLS = (
    Tool(name="get_weather", description="The weather of a city.", parameters=_SCHEMA),
    Tool(name="get_news", description="The news of a city.", parameters=_SCHEMA),
)
_ASKED = (Message(role="user", content="How will it be in Oslo?"),)
_SAID = "It rains there."
_CALLS = (
    ToolCall(name="get_weather", arguments={"city": "Oslo", "days": 2}),
    ToolCall(name="get_news", arguments={"city": "Bergen", "days": 3}),
)
_RESULT = Message(role="tool", content='{"rain": true}', name="get_weather")
_JOINTS = {"llama": "; ", "harmony": "<|end|><|start|>assistant"}
"""What the models of a form write between calls of which their template writes one a turn."""
_MANNERS: tuple[dict[str, Any], ...] = tuple(
    {"arguments": arguments, "content": content, "ids": ids}
    for ids, content, arguments in product(("", "short", "functions"), ("empty", "none"), ("object", "text"))
)
"""The ways to hand a template its calls, in the order in which they are tried."""


class Unwritable(ValueError):
    """A label that a policy's form cannot express."""


class _Known(NamedTuple):
    template: Any
    response: Any
    form: WireForm


_known: WeakKeyDictionary[Any, _Known] = WeakKeyDictionary()


def form_of(tokenizer: Any) -> WireForm:
    """The form of a tokenizer's chat template; worked out once."""
    template, response = tokenizer.chat_template, getattr(tokenizer, "response_template", None)
    found = _known.get(tokenizer)
    if found is None or found.template != template or found.response != response:
        found = _known[tokenizer] = _Known(template, response, _worked_out(tokenizer))
    return found.form


def prompt(tokenizer: Any, messages: Sequence[Message], tools: Sequence[Tool]) -> str:
    """The text of a prompt by the tokenizer's own template."""
    form = form_of(tokenizer)
    return _render(tokenizer, form, messages, tools, True).removesuffix(form.cut)


def target(tokenizer: Any, messages: Sequence[Message], tools: Sequence[Tool], said: Label | Answer) -> str:
    """Return what a policy writes for a label or answer.

    It is trained to write it; without its end.

    Raises:
        Unwritable: The template writes the answered dialogue in another way than the prompt, or cannot write
            several calls.
    """
    form = form_of(tokenizer)
    if form.projects:
        return render_answer(said)
    text = said.reply if isinstance(said, Label) else said.text
    if form.single and len(said.calls) > 1:
        if form.joint is None:
            raise Unwritable(f"the form {form.name} writes one call a turn, and the label has more")
        return form.joint.join(
            _turn(tokenizer, form, messages, tools, text if at == 0 else "", (one,))
            for at, one in enumerate(said.calls)
        )
    return _turn(tokenizer, form, messages, tools, text, said.calls)


def fault_of(tokenizer: Any, sample: Sample) -> str:
    """Say why a label cannot be learned in the policy's form.

    Empty where it can. It must be read back as it was: a value that spells a mark of the form is not.
    """
    form, label = form_of(tokenizer), sample.label
    if form.projects:
        return ""
    try:
        answer = form.parse(target(tokenizer, sample.messages, sample.tools, label), tools=sample.tools)
    except Exception as error:  # a template may refuse a dialogue with an error of any kind
        return f"form: the model's template cannot write it: {str(error)[:200] or type(error).__name__}"
    if match(answer, label) and (label.calls or answer.text == label.reply.strip()):
        return ""
    why = answer.detail or "it is read back as something else"
    return f"form: the label cannot be written in the model's form {form.name} ({why})"


def end_of(tokenizer: Any, calls: bool) -> str:
    """Return the special token that ends calls, or a reply.

    Empty: the tokenizer's end.
    """
    return form_of(tokenizer).ends[calls]


# ------------------------------------------------------------------ rendering


def _render(
    tokenizer: Any, form: WireForm, messages: Sequence[Message], tools: Sequence[Tool], ask: bool
) -> str:
    text: str = tokenizer.apply_chat_template(
        turns(form, messages),
        tools=tool_schemas(tools) or None,
        add_generation_prompt=ask,
        tokenize=False,
        enable_thinking=False,
    )
    return text


def _turn(
    tokenizer: Any,
    form: WireForm,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    text: str,
    calls: Sequence[ToolCall],
) -> str:
    """The rendered assistant turn without the prompt, and without what stands behind it."""
    asked = prompt(tokenizer, messages, tools)
    answered = [*messages, Message(role="assistant", content=text, tool_calls=tuple(calls))]
    whole = _render(tokenizer, form, answered, tools, False)
    if not whole.startswith(asked):
        raise Unwritable("the template writes the dialogue in another way once it is answered")
    return whole[len(asked) :].removesuffix(form.tails[bool(calls)])


def turns(form: WireForm, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as a template of this form takes them."""
    given = chat(list(_one_call_each(messages)) if form.single else messages)
    waiting: list[tuple[str, str]] = []
    number = 0
    for turn in given:
        if calls := turn.get("tool_calls"):
            waiting = []
            if form.content == "lfm":
                made = [ToolCall.model_validate(c["function"]) for c in turn.pop("tool_calls")]
                turn["content"] += write_lfm(made)
                continue
            if form.content == "none" and not turn["content"]:
                turn["content"] = None
            for one in calls:
                function = one["function"]
                if form.ids:
                    one["id"] = _id(form, function["name"], number)
                    waiting.append((function["name"], one["id"]))
                if form.arguments == "text":
                    function["arguments"] = json.dumps(function["arguments"], ensure_ascii=False)
                number += 1
        elif turn["role"] == "tool" and waiting:
            at = next((i for i, (name, _) in enumerate(waiting) if name == turn.get("name")), 0)
            turn["tool_call_id"] = waiting.pop(at)[1]
    return given


def _id(form: WireForm, name: str, number: int) -> str:
    return f"functions.{name}:{number}" if form.ids == "functions" else f"call{number:05d}"


def _one_call_each(messages: Sequence[Message]) -> Iterator[Message]:
    """The messages with each turn of several calls as turns of one, each before its result."""
    at = 0
    while at < len(messages):
        turn = messages[at]
        at += 1
        if len(turn.tool_calls) < 2:
            yield turn
            continue
        results = []
        while at < len(messages) and messages[at].role == "tool":
            results.append(messages[at])
            at += 1
        for place, one in enumerate(turn.tool_calls):
            yield turn.model_copy(update={"content": "" if place else turn.content, "tool_calls": (one,)})
            named = [r for r in results if r.name == one.name] or results[:1]
            if named:
                results.remove(named[0])
                yield named[0]
        yield from results


# -------------------------------------------------------------- working it out


def _worked_out(tokenizer: Any) -> WireForm:
    template = str(tokenizer.chat_template or "")
    if template == chat_template() or "tools" not in template:
        return WireForm()
    written = ({"content": "lfm"},) if "<|tool_call_start|>" in special_names(tokenizer) else ()
    for manner in (*_MANNERS, *written):
        try:
            found = _in_manner(tokenizer, WireForm(projects=False, **manner))
        except Exception:  # a template refuses what it does not know with an error of any kind
            continue
        if found is not None:
            return found
    return WireForm(unknown=True)


def _in_manner(tokenizer: Any, form: WireForm) -> WireForm | None:
    """The form, if the template writes its calls when they are handed over in this manner."""
    base = _render(tokenizer, form, _ASKED, _TOOLS, False)
    asked = _render(tokenizer, form, _ASKED, _TOOLS, True)
    reply = _answered(tokenizer, form, _SAID, ())
    first = _answered(tokenizer, form, "", _CALLS[:1])
    common = os.path.commonprefix([asked, reply, first])
    # Only what the template writes to begin a turn may differ: an opened thought.
    if len(common) < min(len(base), len(asked)) or _SAID not in reply[len(common) :]:
        return None
    before, _, tail = reply[len(common) :].partition(_SAID)
    if asked[len(common) :] and before.strip():
        return None
    form = form.model_copy(update={"cut": asked[len(common) :], "tails": (tail, tail)})
    said = first[len(common) :]
    names = special_names(tokenizer)
    if (named := _named(form, tokenizer, said, names)) is None:
        return None
    form = _with_several(tokenizer, named, common)
    ends = tuple(
        _end(tokenizer, form, common, names, text, calls) for text, calls in ((_SAID, ()), ("", _CALLS[:1]))
    )
    # The project's texts are decoded without special tokens.
    marked = any(t.special for t in _added(tokenizer) if t.content in (OPEN, CLOSE))
    projects = not (form.single or marked) and all(
        _answered(tokenizer, form, label.reply, label.calls)[len(common) :].removesuffix(tail)
        == render_answer(label)
        for label in (Label(reply=_SAID), Label(calls=_CALLS[:1]), Label(calls=_CALLS))
    )
    return form.model_copy(update={"ends": ends, "projects": projects and form.name == "hermes"})


def _added(tokenizer: Any) -> Iterable[Any]:
    return getattr(tokenizer, "added_tokens_decoder", {}).values()


def _answered(tokenizer: Any, form: WireForm, text: str, calls: Sequence[ToolCall]) -> str:
    turn = Message(role="assistant", content=text, tool_calls=tuple(calls))
    return _render(tokenizer, form, [*_ASKED, turn], _TOOLS, False)


def _reads(form: WireForm, text: str, calls: Sequence[ToolCall]) -> bool:
    answer = form.parse(text, tools=_TOOLS)
    return not answer.error and not answer.text and canonical_calls(answer.calls) == canonical_calls(calls)


def _named(form: WireForm, tokenizer: Any, said: str, names: Iterable[str]) -> WireForm | None:
    """The form with the name of the family that the rendered call is read by, and what stands behind it."""
    tails = [form.tails[0]] if form.tails[0].strip() and said.endswith(form.tails[0]) else []
    bare = said.rstrip()
    # gpt-oss ends a call with another token than a reply.
    tails += [said[len(bare) - len(n) :] for n in names if bare.endswith(n)] if not tails else []
    tails += [said[len(bare) :]]
    response = getattr(tokenizer, "response_template", None)
    detected = detect(said, {t.name for t in _TOOLS})
    for tail, name in product(tails, (detected,) if detected else ()):
        tried = form.model_copy(update={"name": name, "tails": (form.tails[0], tail)})
        text = said.removesuffix(tail)
        if _reads(tried, text, _CALLS[:1]):
            by_template = tried.model_copy(update={"response": response})
            return by_template if response and _reads(by_template, text, _CALLS[:1]) else tried
    for tail in tails if response else ():
        alone = {"name": BY_TEMPLATE, "response": response, "tails": (form.tails[0], tail)}
        if _reads(tried := form.model_copy(update=alone), said.removesuffix(tail), _CALLS[:1]):
            return tried
    return None


def _with_several(tokenizer: Any, form: WireForm, common: str) -> WireForm:
    """The form with what is known of turns with several calls."""
    try:
        both = _answered(tokenizer, form, "", _CALLS)[len(common) :].removesuffix(form.tails[1])
        if _reads(form, both, _CALLS):
            return form
    except Exception:  # such a template says that it takes one call, with an error of any kind
        pass
    form = form.model_copy(update={"single": True})
    joint = _JOINTS.get(form.name)
    parts = [
        _answered(tokenizer, form, "", (one,))[len(common) :].removesuffix(form.tails[1]) for one in _CALLS
    ]
    joined = joint is not None and _reads(form, joint.join(parts), _CALLS)
    return form.model_copy(update={"joint": joint if joined else None})


def _end(
    tokenizer: Any,
    form: WireForm,
    common: str,
    names: Sequence[str],
    text: str,
    calls: Sequence[ToolCall],
) -> str:
    """The special token behind a turn: the template's own, else that which begins the next turn."""
    if found := _first(form.tails[bool(calls)], names):
        return found
    said = _answered(tokenizer, form, text, calls)[len(common) :].removesuffix(form.tails[bool(calls)])
    turn = Message(role="assistant", content=text, tool_calls=tuple(calls))
    more = _RESULT if calls else Message(role="user", content="Thank you.")
    try:
        whole = _render(tokenizer, form, [*_ASKED, turn, more], _TOOLS, False)
    except Exception:  # not every template takes a dialogue like this one
        return ""
    return _first(whole.partition(said)[2], names)


def _first(text: str, names: Sequence[str]) -> str:
    return next((n for n in names if text.lstrip().startswith(n)), "")
