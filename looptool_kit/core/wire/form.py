"""The form in which one policy writes its calls: what is recorded of it, and its parser.

It is worked out from the policy's chat template (`policy/wire.py`); nothing here needs a tokenizer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from looptool_kit.core.samples import Frozen, Tool
from looptool_kit.core.toolcalls import Answer, parse, tool_schemas
from looptool_kit.core.wire import after_thought, detect, parse_as
from looptool_kit.core.wire.values import call, words

OWN = "looptool"
"""The project's own form: that of `core/chat_template.jinja`, written as Hermes writes calls."""
BY_TEMPLATE = "response_template"
"""A form of no known family, which the tokenizer's own `response_template` reads."""
ATTEMPTS: dict[str, re.Pattern[str]] = {
    "hermes": re.compile("</?tool_call>"),
    "qwen3_coder": re.compile(r"</?function[=>]|</?parameter[=>]|</?tool_call>"),
    "glm": re.compile(r"</?tool_call>|</?arg_(?:key|value)>"),
    "minimax": re.compile(r"</?minimax:tool_call>|</?invoke\b|</?parameter\b|</?function_calls>"),
    "llama_tag": re.compile(r"</?function[=>]"),
    "deepseek": re.compile("<｜tool▁"),
    "kimi": re.compile(r"<\|tool_call"),
    # Of replies too: every message of it has a header.
    "harmony": re.compile(r"<\|channel\|>|<\|message\|>|<\|constrain\|>|to=functions\."),
    "mistral": re.compile(r"\[(?:TOOL_CALLS|ARGS|CALL_ID)\]"),
    "functiongemma": re.compile("<(?:start|end)_function_call>|<escape>"),
    "gemma4": re.compile(r"<\|tool_call>|<tool_call\|>"),
    "lfm": re.compile(r"<\|tool_call_(?:start|end)\|>"),
    "phi": re.compile(r"<\|/?tool_call\|>"),
    "granite": re.compile(r"<\|tool_call\|>"),
    "glaive": re.compile(r"</?function_?call>"),
    "olmo": re.compile("</?function_calls>"),
    "gemma": re.compile("```tool_"),
    "react": re.compile(r"^\s*Action\b", re.MULTILINE),
    "llama": re.compile(r"<\|python_tag\|>|\A\s*\{"),
    "json": re.compile(r"\A\s*(?:```|[\[{])"),
    "pythonic": re.compile(r"<\|python_start\|>|\A\s*(?:\[|[A-Za-z_][\w.]*\()"),
}
"""What a policy of that form writes only where it tries to call: the text is calls, or it is unparsable."""
_NEVER = re.compile(r"(?!)")
_THOUGHT = re.compile(r"</?think>")


class WireForm(Frozen):
    """How a policy is prompted, and how its calls are read.

    With what it is trained to write.
    """

    name: str = OWN
    """`looptool`, or a form of `core.wire.FORMS`."""
    projects: bool = True
    """Calls are written to the very bytes of `toolcalls.render_answer`: so do Qwen3's and Hermes' templates.
    """
    arguments: Literal["object", "text"] = "object"
    """How the template takes the arguments of a call."""
    content: Literal["empty", "none", "lfm"] = "empty"
    """What stands for the words of a turn that has calls alone; `lfm`: the calls as LFM2 writes them, whose
    template takes them as words.
    """
    ids: Literal["", "short", "functions"] = ""
    """The ids of calls that the template asks for: none, nine characters, or `functions.name:number`."""
    single: bool = False
    """The template writes one call a turn: those of a label are joined by `joint`, earlier ones are split."""
    joint: str | None = None
    """What stands between several calls; None: several cannot be written."""
    cut: str = ""
    """The end of the template's prompt that is left out: an opened thought, since labels hold none."""
    tails: tuple[str, str] = ("", "")
    """What the template writes behind a plain reply and behind calls."""
    ends: tuple[str, str] = ("", "")
    """The special tokens that end a plain reply and calls; empty: the tokenizer's end."""
    response: dict[str, Any] | None = None
    """The tokenizer's `response_template`, where it has one that reads its own template's calls."""
    unknown: bool = False
    """The model has a template whose calls nobody can read: the project's stands in its place."""

    @property
    def key(self) -> str:
        """What the form adds to the keys of results.

        Empty where they are what they would be without it. Before the form was the model's own, all
        labels were in the project's form, under the model's own template: only where this is still so
        do those results stand.
        """
        return f"+{self.name}" if self.unknown or not self.projects else ""

    def parse(self, text: str, finish_reason: str = "stop", tools: Sequence[Tool] = ()) -> Answer:
        """Parse what the policy wrote into an `Answer`; never raises.

        What is malformed is "unparsable", what was cut at the length limit "truncated": never a reply.

        Args:
            text: The completion as `prompts.decode` gives it.
            finish_reason: "length" where it was cut.
            tools: Those on offer: their schemas say what is text where the form leaves it open.
        """
        if self.projects or finish_reason == "length":
            return parse(text, finish_reason)
        tried = ATTEMPTS.get(self.name, _NEVER)
        said = after_thought(text, tried)
        # The family's parser is strict where the tokenizer's is not: at a call that is not closed.
        tries = tried.search(said) is not None or detect(said, {t.name for t in tools}) == self.name
        answer = parse_as(self.name, said, tools=tools) if tries else _reply(said, text)
        if tries and not answer.calls and not answer.error and self.name != "harmony":
            return Answer(text=text.strip(), error="unparsable", detail="the mark of a call without one")
        return answer if answer.error or self.response is None else _by_template(said, self.response, tools)


PROJECTS = WireForm()
"""The project's own form."""


def _reply(said: str, text: str) -> Answer:
    if _THOUGHT.search(said):
        return Answer(text=text.strip(), error="unparsable", detail="a <think> block is not closed")
    return Answer(text=words(said))


def _by_template(text: str, response: Mapping[str, Any], tools: Sequence[Tool]) -> Answer:
    """Read a text by a tokenizer's `response_template`, with transformers' own parser of it."""
    from transformers.utils.chat_parsing import parse_response

    try:
        found = parse_response(text, dict(response), prefix="", tools=list(tool_schemas(tools)))
        calls = [call(c["function"]["name"], c["function"]["arguments"]) for c in found.get("tool_calls", ())]
        json.dumps([c.arguments for c in calls], allow_nan=False)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        detail = str(error).split("\n")[0][:300] or type(error).__name__
        return Answer(text=text.strip(), error="unparsable", detail=detail)
    said = words(str(found.get("content") or ""))
    if not calls and detect(text, {t.name for t in tools}):
        return Answer(text=text.strip(), error="unparsable", detail="a call that cannot be read")
    return Answer(calls=tuple(calls), text=said)
