"""Dialogues over a set of tools, simulated by four agents: planner, user, assistant and tool (LoopTool,
section 3.1).

Every assistant turn is sampled twice, and a third time where the two differ; it is accepted where two agree
(ToolMatch) and masked where none do: the dialogue goes on, but the turn is no sample. Then two tiers: the
rules as each turn is made, the judge on every turn at the end. A turn that fails takes those after it along.
All dialogues advance together, so that every step is one batch of calls; with the call store a rerun is the
same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Literal, NamedTuple

from pydantic import JsonValue

from looptool_kit.checks import contamination
from looptool_kit.checks.label import check_labels
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Frozen, Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.tables import Table
from looptool_kit.core.toolcalls import Answer, json_type, match, render_answer
from looptool_kit.llm.client import Endpoint
from looptool_kit.llm.structured import Call, Failed, Prompt, ask, dialogue_part, part, tools_part

STRATEGY = "seeders.dialogue"
STEPS = 4
"""Assistant turns in a row, between two user turns, at the most."""
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

_PLANNER = """\
You plan a dialogue between a user and an assistant that has the tools shown. Decide who the user is, what the user wants, and every concrete value
that will be needed (names, places, dates, amounts, identifiers): made up, believable, and such that the tools' parameters can be filled. Under
"turns" say for each user turn what the user wants then, in one sentence. The user knows nothing of tools, so the plan speaks of wishes only."""

_USER = """\
You play the user of an assistant. You get who you are and what you want, and the dialogue so far. Write the user's next message, as that person would
write it: no tool names, no parameter names, every value that is needed and known to you, nothing invented beyond the plan. If the assistant asked for
something, answer it from the plan. Set "done" to true, with an empty message, when everything planned is settled or the assistant cannot help."""

_ASSISTANT = """\
You are a careful assistant with tools. You get the tools on offer and the dialogue so far; answer the user's last message or the last tool results.
- Call a tool when one fits and everything it requires is known: put the calls into "calls" and leave "reply" empty. Several calls at once only where
  none needs the result of another.
- Every argument comes from the user, the system message or a tool result, exactly as given, in the form the schema asks for. Leave out optional
  arguments that nobody asked for. Never guess: if something required is missing, ask for it in "reply" and call nothing.
- If no tool can do what is wanted, say so in "reply". If everything is done, tell the outcome in "reply", with the values that matter."""

_TOOL = """\
You play the service behind a tool. You get the tool, the call, and the dialogue so far. Answer with what a real service would return for exactly
these arguments: under "result" a JSON object, realistic, complete, consistent with earlier results, with the fields that the description promises.
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


class Job(NamedTuple):
    """A dialogue to simulate."""

    number: int
    tools: tuple[Tool, ...]
    kind: str
    split: str
    today: date
    level: str = ""
    """harder, simpler, or neither."""


class Turn(Frozen):
    """An assistant turn of a simulated dialogue, and what became of it; `kind` "" for a dialogue that ended
    before or between such turns.
    """

    dialogue: int
    turn: int
    """Messages before it."""
    kind: str
    votes: tuple[str, ...] = ()
    """The answers that were sampled, as text; of unusable ones the reason."""
    outcome: Literal["accepted", "masked", "rejected", "ended"]
    reason: str = ""
    sample_id: str = ""


class Turns(Table[Turn]):
    """One row for each assistant turn, and one for each dialogue's end."""

    row_type = Turn


class _Step(NamedTuple):
    sample: Sample
    votes: tuple[str, ...]
    agreed: bool
    fault: str


class _Dialogue:
    """A dialogue under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.plan: Plan | None = None
        self.messages: list[Message] = [Message(role="system", content=f"Today is {job.today:%A, %Y-%m-%d}.")]
        self.steps: list[_Step] = []
        self.user_turns = 0
        self.in_a_row = 0
        self.over = ""

    @property
    def waits_for(self) -> str:
        """Whose turn it is: user, assistant or tool; empty where the dialogue is over."""
        last = self.messages[-1]
        return (
            ""
            if self.over
            else "tool"
            if last.tool_calls
            else "assistant"
            if last.role in ("user", "tool")
            else "user"
        )


class Agents(NamedTuple):
    """Who plays: one endpoint for all four agents, one for the judge, the store and the budget of both."""

    endpoint: Endpoint
    judge: Endpoint
    store: Path
    most: int | None = None

    def ask(self, form: Any, prompts: Sequence[Prompt], who: str, temperature: float = 0.8) -> list[Any]:
        """The agent's answers."""
        return ask(form, prompts, self.endpoint, self.store, who, temperature=temperature, most=self.most)


def jobs(
    tools: Sequence[Tool], count: int, first: int, split: str, rng: Random, level: str = ""
) -> list[Job]:
    """Dialogues to simulate: each over two to six of the tools, kinds in turn, days over three years."""
    out = []
    for number in range(first, first + count):
        few = rng.sample(list(tools), min(len(tools), rng.randint(2, 6)))
        today = date(2026, 1, 1) + timedelta(days=rng.randrange(3 * 365))
        out.append(Job(number, tuple(few), list(KINDS)[number % len(KINDS)], split, today, level))
    return out


def simulate(
    work: Sequence[Job], agents: Agents, turns: int, known: contamination.Fingerprints | None = None
) -> tuple[list[Sample], Turns]:
    """Simulate and verify; returns the samples that passed both tiers, and a row for every assistant turn.
    `turns`: user turns at the most.
    """
    dialogues = [_Dialogue(job) for job in work]
    _plan(dialogues, agents, turns)
    acts: dict[str, Callable[[list[_Dialogue], Agents], None]] = {
        "user": _user,
        "assistant": _assistant,
        "tool": _tool,
    }
    while any(d.waits_for for d in dialogues):
        for who, act in acts.items():
            if now := [d for d in dialogues if d.waits_for == who]:
                act(now, agents)
    return _verify(dialogues, agents, known)


# ---------------------------------------------------------------------- agents


def _plan(dialogues: Sequence[_Dialogue], agents: Agents, turns: int) -> None:
    prompts = []
    for d in dialogues:
        wanted = (
            f"{KINDS[d.job.kind]}; {'one user turn' if turns == 1 else f'one to {turns} user turns'}."
            f" {LEVELS[d.job.level]}".strip()
        )
        prompts.append(
            Prompt(
                _PLANNER,
                f"{tools_part(d.job.tools)}\n{dialogue_part(d.messages)}\n{part('Kind of dialogue', wanted)}",
                d.job.number,
            )
        )
    for d, plan in zip(dialogues, agents.ask(Plan, prompts, "plan dialogues", 1.0), strict=True):
        if isinstance(plan, Failed):
            d.over = f"no plan: {plan.reason}"
        elif not plan.turns:
            d.over = "no plan: it has no user turn"
        else:
            d.plan = plan.model_copy(update={"turns": plan.turns[:turns]})


def _user(dialogues: Sequence[_Dialogue], agents: Agents) -> None:
    going = []
    for d in dialogues:
        assert d.plan is not None
        # What an answer to a question costs is one turn more than planned.
        if d.user_turns >= len(d.plan.turns) + (d.job.kind == "ask"):
            d.over = "all planned turns are done"
        else:
            going.append(d)
    prompts = []
    for d in going:
        assert d.plan is not None
        heard = [m for m in d.messages if m.role != "tool" and m.content]
        now = d.plan.turns[min(d.user_turns, len(d.plan.turns) - 1)]
        parts = (part("You", d.plan.model_dump()), dialogue_part(heard), part("What you want now", now))
        prompts.append(Prompt(_USER, "\n".join(parts), d.job.number))
    for d, said in zip(going, agents.ask(UserTurn, prompts, "user turns"), strict=True):
        if isinstance(said, Failed):
            d.over = f"the user's turn failed: {said.reason}"
        elif not said.message.strip() or said.done and d.user_turns:
            d.over = "the user is done" if d.user_turns else "the user said nothing"
        else:
            d.messages.append(Message(role="user", content=said.message))
            d.user_turns, d.in_a_row = d.user_turns + 1, 0


def _assistant(dialogues: Sequence[_Dialogue], agents: Agents) -> None:
    votes: dict[int, list[AssistantTurn | Failed]] = {d.job.number: [] for d in dialogues}
    for asked in ((0, 1), (2,)):
        short = [d for d in dialogues if _agreed(votes[d.job.number]) is None]
        prompts = [
            Prompt(_ASSISTANT, f"{tools_part(d.job.tools)}\n{dialogue_part(d.messages)}", n, d.job.tools)
            for d in short
            for n in asked
        ]
        answers = iter(agents.ask(AssistantTurn, prompts, "assistant turns") if prompts else ())
        for d in short:
            votes[d.job.number] += [next(answers) for _ in asked]
    for d in dialogues:
        _step(d, votes[d.job.number])


def _answer(vote: AssistantTurn | Failed) -> Answer | None:
    """A vote as an answer; None where it cannot be used."""
    if isinstance(vote, Failed) or not vote.calls and not vote.reply.strip():
        return None
    return Answer(calls=tuple(c.as_call() for c in vote.calls), text="" if vote.calls else vote.reply)


def _agreed(votes: Sequence[AssistantTurn | Failed]) -> list[Answer] | None:
    """The answers of the first two votes that match and of all that match them; None where no two do."""
    usable = [a for a in map(_answer, votes) if a is not None]
    for a in usable:
        if len(same := [b for b in usable if match(a, b)]) > 1:
            return same
    return None


def _step(d: _Dialogue, votes: Sequence[AssistantTurn | Failed]) -> None:
    """Take an assistant turn into the dialogue: what was agreed on, or else the first answer that keeps the
    rules, which is then no sample.
    """
    same = _agreed(votes)
    texts = tuple(
        render_answer(a) if (a := _answer(v)) else v.reason if isinstance(v, Failed) else "says nothing"
        for v in votes
    )
    answers = same[:1] if same else [a for a in map(_answer, votes) if a]
    made = [_sample(d, a, same or [a]) for a in answers]
    faults = ["; ".join(f"{c.name}: {c.detail}" for c in check_sample(s) if not c.passed) for s in made]
    chosen = next((n for n, fault in enumerate(faults) if not fault), None)
    if chosen is None:
        d.over = (
            "no answer could be used"
            if not made
            else "the answer breaks a rule"
            if same
            else "no answer keeps the rules"
        )
        empty = Sample(tools=d.job.tools, messages=tuple(d.messages), label=Label(), kind="unusable")
        d.steps.append(
            _Step(
                made[0] if made else empty,
                texts,
                bool(same),
                faults[0] if faults else "no answer could be used",
            )
        )
        return
    sample = made[chosen]
    d.steps.append(_Step(sample, texts, bool(same), ""))
    d.messages.append(Message(role="assistant", content=sample.label.reply, tool_calls=sample.label.calls))
    d.in_a_row += 1
    if sample.label.calls and d.in_a_row >= STEPS:
        d.over = f"{STEPS} assistant turns in a row"


def _tool(dialogues: Sequence[_Dialogue], agents: Agents) -> None:
    calls = [(d, call) for d in dialogues for call in d.messages[-1].tool_calls]
    prompts = []
    for d, call in calls:
        tools = [t for t in d.job.tools if t.name == call.name]
        prompts.append(
            Prompt(
                _TOOL,
                "\n".join((tools_part(tools), dialogue_part(d.messages), part("Call", call.model_dump()))),
                d.job.number,
            )
        )
    answers = agents.ask(ToolResult, prompts, "tool results", 0.5)
    results: dict[int, list[tuple[ToolCall, ToolResult | Failed]]] = {}
    for (d, call), answer in zip(calls, answers, strict=True):
        results.setdefault(d.job.number, []).append((call, answer))
    for d in dialogues:
        for call, answer in results[d.job.number]:
            if isinstance(answer, Failed):
                d.over = f"the result of {call.name} failed: {answer.reason}"
                break
            d.messages.append(
                Message(role="tool", name=call.name, content=json.dumps(answer.result, ensure_ascii=False))
            )


# --------------------------------------------------------------------- samples


def _sample(d: _Dialogue, answer: Answer, same: Sequence[Answer]) -> Sample:
    """An assistant turn as a sample."""
    question = not answer.calls and d.job.kind == "ask" and not d.steps and all("?" in a.text for a in same)
    mentions = () if answer.calls or question else _told(d.messages, same)
    label = Label(calls=answer.calls, reply=answer.text, asks=question, mentions=mentions)
    after_result = d.messages[-1].role == "tool"
    if answer.calls:
        kind = (
            "multi_step"
            if after_result
            else "multi_turn"
            if d.user_turns > 1
            else "parallel"
            if len(answer.calls) > 1
            else "single"
        )
    else:
        kind = (
            "ask"
            if question
            else "finish"
            if after_result
            else "decline"
            if d.job.kind == "decline"
            else "reply"
        )
    return Sample(
        tools=d.job.tools, messages=tuple(d.messages), label=label, kind=kind, split=d.job.split, source="trees", strategy=STRATEGY,
        meta={"dialogue": d.job.number, "turn": len(d.messages), "planned": d.job.kind},
    )  # fmt: skip


def _told(messages: Sequence[Message], same: Sequence[Answer]) -> tuple[tuple[str, ...], ...]:
    """The values of the newest tool results that all agreeing replies mention: what a right reply has to say
    (at most four).
    """
    newest: list[str] = []
    for m in reversed(messages):
        if m.role != "tool":
            break
        newest[:0] = _leaves(json.loads(m.content))
    told = [v for v in dict.fromkeys(newest) if all(v.casefold() in a.text.casefold() for a in same)]
    return tuple((v,) for v in told[:4])


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in _leaves(v)]
    if isinstance(value, list):
        return [leaf for v in value for leaf in _leaves(v)]
    text = value.strip() if isinstance(value, str) else str(value) if json_type(value) == "number" else ""
    return [text] if len(text) > 1 else []


# ---------------------------------------------------------------------- verify


def _verify(
    dialogues: Sequence[_Dialogue], agents: Agents, known: contamination.Fingerprints | None
) -> tuple[list[Sample], Turns]:
    """The judge tier over every turn that kept the rules; a turn that fails takes those after it along."""
    asked = [step.sample for d in dialogues for step in d.steps if not step.fault]
    verdicts = iter(check_labels(asked, agents.judge, agents.store, "judge turns", agents.most))
    samples: list[Sample] = []
    rows: list[Turn] = []
    for d in dialogues:
        broken = ""
        for step in d.steps:
            judged = None if step.fault else next(verdicts)
            fault = broken or step.fault or _verdict_fault(judged)
            guard = contamination.check_sample(step.sample, known) if known and not fault else None
            fault = fault or (f"contamination: {guard.detail}" if guard and not guard.passed else "")
            if fault and not broken:
                broken = f"follows turn {len(step.sample.messages)}, which failed"
            masked = not fault and not step.agreed
            rows.append(
                Turn(
                    dialogue=d.job.number,
                    turn=len(step.sample.messages),
                    kind=step.sample.kind,
                    votes=step.votes,
                    outcome="rejected" if fault else "masked" if masked else "accepted",
                    reason=fault or ("no two answers agree" if masked else ""),
                    sample_id=step.sample.id,
                )
            )
            if not fault and not masked:
                samples.append(step.sample)
        rows.append(
            Turn(dialogue=d.job.number, turn=len(d.messages), kind="", outcome="ended", reason=d.over)
        )
    return samples, Turns(rows)


def _verdict_fault(check: Check | None) -> str:
    return f"judge: {check.detail}" if check and not check.passed else ""
