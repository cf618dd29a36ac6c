"""Calls in the syntax of each family of models: one detector and one parser of them.

| form | models |
| --- | --- |
| `hermes` | Hermes 2 Pro, Qwen2.5, Qwen3, Granite 4; the project's own (`toolcalls`) |
| `qwen3_coder` | Qwen3-Coder: `<function=f><parameter=a>` |
| `glm` | GLM-4.5: `<arg_key>` and `<arg_value>` |
| `minimax` | MiniMax M2 and others: `<invoke name="f"><parameter name="a">` |
| `llama_tag` | Llama 3.1: `<function=f>{...}</function>` |
| `deepseek` | DeepSeek V3 and V3.1 |
| `kimi` | Kimi K2 |
| `harmony` | gpt-oss |
| `mistral` | Mistral: `[TOOL_CALLS]` with a list, or with name and `[ARGS]` |
| `functiongemma`, `gemma4` | `call:f{...}` |
| `granite`, `phi` | `<|tool_call|>` and a list |
| `glaive` | `<functioncall>` |
| `lfm`, `olmo`, `gemma` | calls as Python, in marks of their own |
| `react` | `Action:` and `Action Input:` |
| `llama` | Llama 3.x: a JSON object with `name` and `parameters`, also behind `<|python_tag|>` |
| `json` | xLAM and others: JSON calls, bare or in a fence |
| `pythonic` | Llama 3.2 and 4: `[f(a=1)]` |
| `other` | none of these: a tool's name with arguments; `{"f": {...}}` is read |

The marks and shapes are those of the models' chat templates. Nothing is evaluated. Parsers are as strict as
`toolcalls.parse`: what is malformed is "unparsable", never a plain reply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from looptool_kit.core.samples import Tool
from looptool_kit.core.toolcalls import Answer, parse
from looptool_kit.core.wire import gemma_forms, json_forms, other, python_forms, tag_forms
from looptool_kit.core.wire.values import Found


class Form(NamedTuple):
    """The syntax of calls of one family."""

    mark: re.Pattern[str]
    """What shows it, wherever it stands in a text."""
    read: Callable[[str, dict[str, Tool]], Found]
    """The calls of a text and what else it says; `ValueError` where it is malformed."""


def _hermes(text: str, tools: dict[str, Tool]) -> Found:
    answer = parse(text)
    if answer.error:
        raise ValueError(answer.detail)
    return Found(list(answer.calls), answer.text)


FORMS: dict[str, Form] = {
    "qwen3_coder": Form(
        re.compile(r"<function=[^<>\n]+>\s*(<parameter=|</function>)"), tag_forms.qwen3_coder
    ),
    "glm": Form(re.compile(r"<arg_key>|<tool_call>\s*[\w.-]+\s*</tool_call>"), tag_forms.glm),
    "hermes": Form(re.compile("</?tool_call>"), _hermes),
    "minimax": Form(re.compile(r"<invoke\s+name="), tag_forms.invoke),
    "llama_tag": Form(re.compile(r"<function=[^<>\n]+>\s*\{"), json_forms.llama_tag),
    "deepseek": Form(re.compile("<｜tool▁calls?▁begin｜>"), json_forms.deepseek),
    "kimi": Form(re.compile(r"<\|tool_calls?(_section)?_begin\|>"), json_forms.kimi),
    "harmony": Form(re.compile(r"<\|channel\|>[^<]*to=|to=functions\."), json_forms.harmony),
    "mistral": Form(re.compile(r"\[TOOL_CALLS\]"), json_forms.mistral),
    "functiongemma": Form(re.compile("<start_function_call>"), gemma_forms.functiongemma),
    "gemma4": Form(re.compile(r"<\|tool_call>"), gemma_forms.gemma4),
    "lfm": Form(re.compile(r"<\|tool_call_start\|>"), python_forms.lfm),
    "phi": Form(re.compile(r"<\|tool_call\|>.*?<\|/tool_call\|>", re.DOTALL), json_forms.phi),
    "granite": Form(re.compile(r"<\|tool_call\|>"), json_forms.granite),
    "glaive": Form(re.compile(r"<function_?call>"), json_forms.glaive),
    "olmo": Form(re.compile("<function_calls>"), python_forms.olmo),
    "gemma": Form(re.compile(r"```tool_(code|call)"), python_forms.gemma),
    "react": Form(re.compile(r"^\s*Action\s*:", re.MULTILINE), json_forms.react),
    "llama": Form(json_forms.LLAMA, json_forms.llama),
    "json": Form(json_forms.BARE, json_forms.bare),
    "pythonic": Form(python_forms.BARE, python_forms.bare),
    "other": Form(re.compile(r"(?!)"), other.read),
}
"""The forms in the order in which `detect` tries them."""
_MARKED = re.compile(r"[<\[{(]|Action\s*:|to=")
"""One of these stands in every call."""


def detect(text: str, names: Collection[str] = ()) -> str | None:
    """Detect the form of a text's calls; None for plain replies.

    Args:
        text: What a model or a row says.
        names: The tools on offer: with these, a call in a syntax of no family is told too.
    """
    for name, form in FORMS.items() if _MARKED.search(text) else ():
        if form.mark.search(text) and not (name == "pythonic" and not python_forms.is_calls(text)):
            return name
    if python_forms.mentions_call(text, names):
        return "pythonic"
    return "other" if other.hands_over(text, names) else None


def parse_as(form: str, text: str, finish_reason: str = "stop", tools: Sequence[Tool] = ()) -> Answer:
    """Parse a completion in a family's syntax into an `Answer`; never raises.

    Args:
        form: One of `FORMS`.
        text: The completion.
        finish_reason: "length" where it was cut, as in `toolcalls.parse`.
        tools: Their schemas say which values are text where the syntax leaves it open (XML).
    """
    if form == "hermes" or finish_reason == "length":
        return parse(text, finish_reason)
    try:
        said = after_thought(text, FORMS[form].mark)
        found = FORMS[form].read(said, {t.name: t for t in tools})
        if found.calls and FORMS[form].mark.search(found.text):
            raise ValueError("a call beside those that could be read")
    except (ValueError, RecursionError) as error:
        detail = str(error).split("\n")[0][:300] or type(error).__name__
        return Answer(text=text.strip(), error="unparsable", detail=detail)
    return Answer(calls=tuple(found.calls), text=found.text)


def after_thought(text: str, mark: re.Pattern[str]) -> str:
    """A text without the thought that it begins with.

    A `</think>` behind the first `mark` of a call stands in an argument, unless the text opens with <think>.
    """
    end = text.find("</think>")
    if end < 0:
        return text
    first = mark.search(text)
    led = first is None or end < first.start() or text.lstrip().startswith("<think>")
    return text[end + len("</think>") :] if led else text


def read_text(text: str, tools: Sequence[Tool] = ()) -> Answer:
    """Parse an assistant's turn in whatever syntax it is written."""
    form = detect(text, {t.name for t in tools})
    if form is None:
        return parse(text)
    answer = parse_as(form, text, tools=tools)
    if answer.calls and detect(answer.text, {t.name for t in tools}):
        detail = "a call in a second syntax beside those that were read"
        return Answer(text=text.strip(), error="unparsable", detail=detail)
    return answer
