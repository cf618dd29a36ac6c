"""Dialogues over a set of tools, simulated by four agents.

They are planner, user, assistant and tool (LoopTool, section 3.1). Every assistant turn is sampled twice, and
a third time where the two differ. It is accepted where two agree (ToolMatch) and masked where none do: the
dialogue continues, but the turn is not a sample. Then there are two tiers: the rules as each turn is made,
the judge on every turn at the end. A turn that fails takes those after it along. All dialogues advance
together, so that every step is one batch of calls; with the call store a rerun is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import partial
from random import Random
from typing import NamedTuple

from looptool_kit.checks import contamination
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, match, render_answer
from looptool_kit.llm.structured import Failed, Prompt, dialogue_part, part, tools_part
from looptool_kit.stages.seed.trees.agents import (
    ASSISTANT,
    KINDS,
    LEVELS,
    PLANNER,
    REFLECT,
    TOOL,
    USER,
    Agents,
    AssistantTurn,
    Plan,
    ToolResult,
    UserTurn,
)
from looptool_kit.stages.seed.trees.turns import Dialogue, Job, Step, Turns, sample_of, verify

MAX_STEPS = 4
"""Assistant turns in a row, between two user turns, at the most."""


def jobs(
    tools: Sequence[Tool], count: int, first: int, split: str, rng: Random, level: str = ""
) -> list[Job]:
    """Dialogues to simulate.

    Each is over two to six of the tools; kinds come in turn, days are from three years.
    """
    out = []
    for number in range(first, first + count):
        few = rng.sample(list(tools), min(len(tools), rng.randint(2, 6)))
        today = date(2026, 1, 1) + timedelta(days=rng.randrange(3 * 365))
        out.append(Job(number, tuple(few), list(KINDS)[number % len(KINDS)], split, today, level))
    return out


def simulate(
    work: Sequence[Job],
    agents: Agents,
    turns: int,
    fingerprints: contamination.Fingerprints | None = None,
    mask_errors: bool = True,
    reflect: int = 0,
) -> tuple[list[Sample], Turns]:
    """Simulate dialogues and verify them.

    `turns` is the most user turns of a dialogue; `mask_errors` as in `verify`; `reflect` is how often a turn
    that breaks a rule is answered again. Returns the samples that
    passed both tiers, and a row for every assistant turn.
    """
    dialogues = [Dialogue(job) for job in work]
    _plan(dialogues, agents, turns)
    acts: dict[str, Callable[[list[Dialogue], Agents], None]] = {
        "user": _user,
        "assistant": partial(_assistant, reflect=reflect),
        "tool": _tool,
    }
    while any(d.waits_for for d in dialogues):
        for role, act in acts.items():
            if now := [d for d in dialogues if d.waits_for == role]:
                act(now, agents)
    return verify(dialogues, agents, fingerprints, mask_errors)


# ---------------------------------------------------------------------- agents


def _plan(dialogues: Sequence[Dialogue], agents: Agents, turns: int) -> None:
    prompts = []
    for d in dialogues:
        wanted = (
            f"{KINDS[d.job.kind]}; {'one user turn' if turns == 1 else f'one to {turns} user turns'}."
            f" {LEVELS[d.job.level]}".strip()
        )
        prompts.append(
            Prompt(
                PLANNER,
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


def _user(dialogues: Sequence[Dialogue], agents: Agents) -> None:
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
        spoken = [m for m in d.messages if m.role != "tool" and m.content]
        now = d.plan.turns[min(d.user_turns, len(d.plan.turns) - 1)]
        parts = (part("You", d.plan.model_dump()), dialogue_part(spoken), part("What you want now", now))
        prompts.append(Prompt(USER, "\n".join(parts), d.job.number))
    for d, turn in zip(going, agents.ask(UserTurn, prompts, "user turns"), strict=True):
        if isinstance(turn, Failed):
            d.over = f"the user's turn failed: {turn.reason}"
        elif not turn.message.strip() or turn.done and d.user_turns:
            d.over = "the user is done" if d.user_turns else "the user said nothing"
        else:
            d.messages.append(Message(role="user", content=turn.message))
            d.user_turns, d.in_a_row = d.user_turns + 1, 0


def _assistant(dialogues: Sequence[Dialogue], agents: Agents, reflect: int = 0) -> None:
    """One turn of each; what breaks a rule is shown its fault and answered again up to `reflect` times."""
    voted = dict(
        zip(
            (d.job.number for d in dialogues),
            map(_weighed, dialogues, _votes(dialogues, agents)),
            strict=True,
        )
    )
    for _ in range(reflect):
        wrong = [d for d in dialogues if voted[d.job.number].chosen is None]
        shown = [_shown(voted[d.job.number]) for d in wrong]
        for d, votes in zip(wrong, _votes(wrong, agents, shown), strict=True):
            before = voted[d.job.number]
            again = _weighed(d, votes)
            voted[d.job.number] = again._replace(texts=before.texts + again.texts, reflected=before.fault)
    for d in dialogues:
        _step(d, voted[d.job.number])


def _votes(
    dialogues: Sequence[Dialogue], agents: Agents, shown: Sequence[str] = ()
) -> list[list[AssistantTurn | Failed]]:
    """Two answers of each, and a third where they differ; `shown` is what each is told of its last one."""
    votes: dict[int, list[AssistantTurn | Failed]] = {d.job.number: [] for d in dialogues}
    told = dict(zip((d.job.number for d in dialogues), shown, strict=False))
    system = ASSISTANT + REFLECT if shown else ASSISTANT
    for numbers in ((0, 1), (2,)):
        short = [d for d in dialogues if _agreed(votes[d.job.number]) is None]
        prompts = [
            Prompt(
                system,
                f"{tools_part(d.job.tools)}\n{dialogue_part(d.messages)}{told.get(d.job.number, '')}",
                n,
                d.job.tools,
            )
            for d in short
            for n in numbers
        ]
        answers = iter(agents.ask(AssistantTurn, prompts, "assistant turns") if prompts else ())
        for d in short:
            votes[d.job.number] += [next(answers) for _ in numbers]
    return [votes[d.job.number] for d in dialogues]


def _shown(weighed: Weighed) -> str:
    """What an assistant is told of an answer that broke a rule."""
    return f"\n{part('Your last answer', weighed.first)}\n{part('What is wrong with it', weighed.fault)}"


def _answer(vote: AssistantTurn | Failed) -> Answer | None:
    """A vote as an answer; None where it cannot be used."""
    if isinstance(vote, Failed) or not vote.calls and not vote.reply.strip():
        return None
    return Answer(calls=tuple(c.as_call() for c in vote.calls), text="" if vote.calls else vote.reply)


def _agreed(votes: Sequence[AssistantTurn | Failed]) -> list[Answer] | None:
    """The answers of the first two votes that match.

    All that match them are among them. None where no two do.
    """
    usable = [a for a in map(_answer, votes) if a is not None]
    for a in usable:
        if len(same := [b for b in usable if match(a, b)]) > 1:
            return same
    return None


class Weighed(NamedTuple):
    """The answers to one turn, and what became of them."""

    texts: tuple[str, ...]
    agreed: bool
    samples: list[Sample]
    faults: list[str]
    chosen: int | None
    """Which sample keeps the rules; None: none."""
    first: str
    """The answer that `fault` is about."""
    reflected: str = ""
    """The fault that was shown before these answers; empty where none was."""

    @property
    def fault(self) -> str:
        """What is wrong with the first answer."""
        return self.faults[0] if self.faults else "no answer could be used"


def _weighed(d: Dialogue, votes: Sequence[AssistantTurn | Failed]) -> Weighed:
    """What was agreed on, or else the first answer that keeps the rules, which is then not a sample."""
    same = _agreed(votes)
    texts = tuple(
        render_answer(a) if (a := _answer(v)) else v.reason if isinstance(v, Failed) else "says nothing"
        for v in votes
    )
    answers = same[:1] if same else [a for a in map(_answer, votes) if a]
    samples = [sample_of(d, a, same or [a]) for a in answers]
    faults = ["; ".join(f"{c.name}: {c.detail}" for c in check_sample(s) if not c.passed) for s in samples]
    chosen = next((n for n, fault in enumerate(faults) if not fault), None)
    first = render_answer(answers[0]) if answers else texts[0]
    return Weighed(texts, bool(same), samples, faults, chosen, first)


def _step(d: Dialogue, weighed: Weighed) -> None:
    """Take an assistant turn into the dialogue, or end it."""
    texts, agreed, samples, _, chosen, _, reflected = weighed
    if chosen is None:
        d.over = (
            "no answer could be used"
            if not samples
            else "the answer breaks a rule"
            if agreed
            else "no answer keeps the rules"
        )
        empty = Sample(tools=d.job.tools, messages=tuple(d.messages), label=Label(), kind="unusable")
        d.steps.append(Step(samples[0] if samples else empty, texts, agreed, weighed.fault, reflected))
        return
    sample = samples[chosen]
    d.steps.append(Step(sample, texts, agreed, "", reflected))
    d.messages.append(Message(role="assistant", content=sample.label.reply, tool_calls=sample.label.calls))
    d.in_a_row += 1
    if sample.label.calls and d.in_a_row >= MAX_STEPS:
        d.over = f"{MAX_STEPS} assistant turns in a row"


def _tool(dialogues: Sequence[Dialogue], agents: Agents) -> None:
    calls = [(d, call) for d in dialogues for call in d.messages[-1].tool_calls]
    prompts = []
    for d, call in calls:
        tools = [t for t in d.job.tools if t.name == call.name]
        prompts.append(
            Prompt(
                TOOL,
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
