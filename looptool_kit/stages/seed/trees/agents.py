"""The four agents of a simulated dialogue: prompts and forms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import JsonValue

from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.samples import Frozen
from looptool_kit.llm.structured import Call, Prompt, ask

KINDS = {
    "single": "one request that one call fulfils",
    "parallel": "one request that needs several calls at once, none of which waits for another's result",
    "multi_step": "one request that needs a call whose arguments come from the result of an earlier call",
    "multi_turn": "several requests, of which later ones build on what was said or found before",
    "ask": "a first request that lacks something the tool requires; when asked, the user gives it",
    "decline": "a request that none of the tools can fulfil, though it lies close to what they do",
}


LEVELS = {
    "": "",
    "harder": (
        "Make it demanding: values said indirectly or in passing, remarks that do not matter, tools that look"
        " alike."
    ),
    "simpler": "Make it plain: short sentences, exact values, no distractions.",
}


PLANNER = """\
You plan a dialogue between a user and an assistant that has the tools shown. Decide who the user is, what \
the user wants, and every concrete value
that will be needed (names, places, dates, amounts, identifiers): made up, believable, and such that the \
tools' parameters can be filled. Under
"turns" say for each user turn what the user wants then, in one sentence. The user knows nothing of tools, \
so the plan speaks of wishes only."""


USER = """\
You play the user of an assistant. You get who you are and what you want, and the dialogue so far. Write the \
user's next message, as that person would
write it: no tool names, no parameter names, every value that is needed and known to you, nothing invented \
beyond the plan. If the assistant asked for
something, answer it from the plan. Set "done" to true, with an empty message, when everything planned is \
settled or the assistant cannot help."""


ASSISTANT = """\
You are a careful assistant with tools. You get the tools on offer and the dialogue so far; answer the \
user's last message or the last tool results.
- Call a tool when one fits and everything it requires is known: put the calls into "calls" and leave \
"reply" empty. Several calls at once only where
  none needs the result of another.
- Every argument comes from the user, the system message or a tool result, exactly as given, in the form the \
schema asks for. Leave out optional
  arguments that nobody asked for. Never guess: if something required is missing, ask for it in "reply" and \
call nothing.
- If no tool can do what is wanted, say so in "reply". If everything is done, tell the outcome in "reply", \
with the values that matter."""


REFLECT = """
Your last answer to this broke a rule. You get it, and what is wrong with it. Answer again: keep what was \
right, correct what was wrong, and do not speak of the mistake."""


TOOL = """\
You play the service behind a tool. You get the tool, the call, and the dialogue so far. Answer with what a \
real service would return for exactly
these arguments: under "result" a JSON object, realistic, complete, consistent with earlier results, with \
the fields that the description promises.
Where the call cannot be fulfilled, the object says why."""


class Plan(Frozen):
    """The planner's answer."""

    user: str
    goal: str
    values: tuple[str, ...]
    turns: tuple[str, ...]


class UserTurn(Frozen):
    """The user's answer."""

    message: str
    done: bool


class AssistantTurn(Frozen):
    """The assistant's answer."""

    calls: tuple[Call, ...]
    reply: str


class ToolResult(Frozen):
    """The tool's answer."""

    result: dict[str, JsonValue]


class Agents(NamedTuple):
    """Who plays: the endpoints, their store and their budget.

    One endpoint serves all four agents, another one judges.
    """

    endpoint: Endpoint
    judge: Endpoint
    store: Path
    most: int | None = None
    experts: bool = False
    """Whether three experts judge, each by a question of its own."""

    def ask(self, form: Any, prompts: Sequence[Prompt], who: str, temperature: float = 0.8) -> list[Any]:
        """The agent's answers."""
        return ask(form, prompts, self.endpoint, self.store, who, temperature=temperature, most=self.most)
