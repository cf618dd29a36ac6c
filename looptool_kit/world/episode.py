"""Episodes: a request, tools that run, and a reward for what came of it.

    task = task_of(sample)  # of the world, whose label or context has calls
    episode = Episode(task)
    messages, tools = episode.reset()
    back = episode.step(calls)  # tool results; after a plain reply the next user turn; [] at the end
    episode.reward()  # 1 where everything asked for was done, and nothing else

Any legal path counts: the reward compares what was done to the records and what was found out with what the
task's own plan comes to (end-state reward: AWM, arXiv 2602.10090; RandomWorld, arXiv 2506.11045).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from looptool_kit.core.samples import Frozen, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.recognise import today_in
from looptool_kit.text.words import stems
from looptool_kit.world.session import Session, made_id
from looptool_kit.world.spec import Spec, specs

MAX_TURNS = 10
"""Assistant turns of an episode at the most; a plan needs five or fewer."""
_LOOKS = frozenset(
    {"search", "find", "get", "list", "check", "track", "convert", "estimate", "calculate", "value"}
)
"""Verbs of tools that change nothing, so that any number of such calls is legal."""


class Told(Frozen):
    """A call of the plan.

    It has its result where the task fixes it.
    """

    call: ToolCall
    result: dict[str, Any] | None = None


class Task(Frozen):
    """What is to be done, and one way to do it.

    It also tells who asks for it.
    """

    tools: tuple[Tool, ...]
    system: tuple[Message, ...]
    turns: tuple[str, ...]
    """What the user says, one after each plain reply."""
    plan: tuple[Told, ...]
    """Calls that do it, in an order that works."""
    today: date
    held: bool = False
    """Whether results take held-out values."""
    seed: str = "0"


def task_of(sample: Sample) -> Task:
    """Return the task behind a sample.

    It has the sample's user turns. Its plan is the calls of context and label.

    Raises:
        ValueError: Nothing is to be called, or the request asks for more than the sample's calls do.
    """
    if sample.meta.get("kind") == "multi_step" and sample.meta.get("mode") == "first":
        raise ValueError(f"sample {sample.id} asks for a second call that it does not hold")
    at, count = (sample.meta.get(name, 0) for name in ("turn", "turns"))
    if isinstance(at, int) and isinstance(count, int) and at + 1 < count:
        raise ValueError(f"sample {sample.id} asks for more than the calls that it holds")
    plan: list[Told] = []
    results = [m for m in sample.messages if m.role == "tool"]
    for call in (c for m in sample.messages for c in m.tool_calls):
        told = next((r for r in results if r.name == call.name), None)
        if told is None:
            raise ValueError(f"sample {sample.id} has no result of {call.name}")
        results.remove(told)
        plan.append(Told(call=call, result=json.loads(told.content)))
    plan += [Told(call=call) for call in sample.label.calls]
    day = today_in(" ".join(m.content for m in sample.messages if m.role == "system"))
    if not plan or day is None:
        what = "a date in its system message" if plan else "calls in its context or label"
        raise ValueError(f"sample {sample.id} is not a task: it has no {what}")
    turns = tuple(m.content for m in sample.messages if m.role == "user")
    system = tuple(m for m in sample.messages if m.role == "system")
    held = sample.split == "unseen_values"
    return Task(
        tools=sample.tools,
        system=system,
        turns=turns,
        plan=tuple(plan),
        today=day[0],
        held=held,
        seed=sample.id,
    )


class Done(NamedTuple):
    """What calls come to."""

    records: Counter[str]
    """What became of each record that was made, changed or cancelled, whatever its id."""
    gone: Counter[str]
    """Those of them that the same calls have made and cancelled."""
    acts: Counter[str]
    """Calls that do something without a record."""
    found: Counter[str]
    """Calls that only look something up."""


class Episode:
    """One task being worked on; `reset` begins again."""

    def __init__(
        self,
        task: Task,
        known: Mapping[str, Spec] | None = None,
        progress: bool = False,
        most: int = MAX_TURNS,
    ) -> None:
        """Play the task's own plan once, which says what is wanted.

        Args:
            task: What is to be done.
            known: The tools by name, by default the world's.
            progress: Pay for parts of the plan, too.
            most: Assistant turns at the most.

        Raises:
            ValueError: A tool is unknown, or the plan does not work.
        """
        every = specs() if known is None else known
        if missing := [t.name for t in task.tools if t.name not in every]:
            raise ValueError(f"{missing[0]} does not run; episodes need tools of the world as they are")
        self.task, self._progress, self._most = task, progress, most
        self._known = {t.name: every[t.name] for t in task.tools}
        reference = self._session()
        for told in task.plan:
            if error := reference.call(told.call).get("error"):
                raise ValueError(f"the task's own plan fails at {told.call.name}: {error}")
        self._plan = reference.done
        self._wanted = what_was_done(reference.done, self._known)
        self._goals = Counter(_text(self._known[c.name], c) for c in _leaves(reference.done, self._known))
        self.reset()

    def reset(self) -> tuple[tuple[Message, ...], tuple[Tool, ...]]:
        """Begin again.

        Returns the dialogue up to the assistant's turn, and the tools on offer.
        """
        self._live, self._turn, self._said = self._session(), 0, 1
        self.done = False
        self.messages = [*self.task.system, Message(role="user", content=self.task.turns[0])]
        return tuple(self.messages), self.task.tools

    def step(self, calls: Sequence[ToolCall] = (), reply: str = "") -> list[Message]:
        """Take the assistant's turn: its calls, or a plain reply.

        Returns what comes back: a result for each call, or the next user turn; nothing at the end.

        Raises:
            ValueError: The episode is over.
        """
        if self.done:
            raise ValueError("this episode is over; reset begins again")
        self._turn += 1
        self.messages.append(
            Message(role="assistant", content="" if calls else reply, tool_calls=tuple(calls))
        )
        back = [
            Message(role="tool", name=c.name, content=json.dumps(self._live.call(c), ensure_ascii=False))
            for c in calls
        ]
        if not calls and self._said < len(self.task.turns):
            back = [Message(role="user", content=self.task.turns[self._said])]
            self._said += 1
        self.messages += back
        self.done = not back or self._turn >= self._most
        return back

    def answer(self, call: ToolCall) -> dict[str, Any]:
        """Return the result of one call, outside of the dialogue.

        For callers that keep the dialogue elsewhere.
        """
        return self._live.call(call)

    def reward(self) -> float:
        """1 where exactly what was planned was done, else less.

        1 means that all that the plan asks for was done, and nothing else. Otherwise it is 0, or the
        progress. Progress is the share of the plan's calls that were made, over the plan and what was done
        besides.
        """
        did = what_was_done(self._live.done, self._known)
        extra = (did.records - self._wanted.records) - did.gone
        missing = self._wanted.records - did.records
        if not (extra or missing or did.acts != self._wanted.acts or self._goals - did.found):
            return 1.0
        if not self._progress:
            return 0.0
        plan, made = (
            Counter(_text(self._known[c.name], c) for c, _ in d) for d in (self._plan, self._live.done)
        )
        besides = extra.total() + (did.acts - self._wanted.acts).total()
        return min((plan & made).total() / (plan.total() + besides), 1 - 1 / (plan.total() + 1))

    def _session(self) -> Session:
        session = Session(self._known, self.task.today, self.task.seed, self.task.held)
        made: set[str] = set()
        for told in self.task.plan:
            values = set(map(str, told.call.arguments.values()))
            if not values & made:  # what an earlier call makes or finds is not there before
                session.remember(told.call)
            if told.result is not None:
                session.tell(told.call, told.result)
                made |= set(_values(told.result))
        return session


def what_was_done(done: Sequence[tuple[ToolCall, dict[str, Any]]], known: Mapping[str, Spec]) -> Done:
    """Return what executed calls have done.

    Records are told by content, and calls without records by name and arguments.
    """
    records: dict[tuple[str, str], dict[str, Any]] = {}
    acts, found = Counter[str](), Counter[str]()
    for call, result in done:
        spec = known[call.name]
        if spec.makes is not None:
            key = (spec.makes.noun, made_id(spec, result))
            records[key] = {"of": spec.name, "fields": _given(spec, call), "made": True, "gone": False}
        elif kind := spec.changes or spec.cancels:
            own = next(p.name for p in spec.params if p.type is kind)
            key = (kind.noun, str(call.arguments[own]))
            new = {"of": f"{kind.noun} {key[1]}", "fields": {}, "made": False, "gone": False}
            entry = records.setdefault(key, new)
            given = {k: v for k, v in _given(spec, call).items() if k != own}
            if spec.changes is not None:
                entry["fields"] |= given
            else:
                entry |= {"gone": True, "how": given}
        elif spec.lists is not None or stems(spec.name)[0] in _LOOKS:
            found[_text(spec, call)] += 1
        else:
            acts[_text(spec, call)] += 1
    return Done(
        Counter(map(canonical, records.values())),
        Counter(canonical(r) for r in records.values() if r["made"] and r["gone"]),
        acts,
        found,
    )


def _leaves(done: Sequence[tuple[ToolCall, dict[str, Any]]], known: Mapping[str, Spec]) -> Iterator[ToolCall]:
    """The look-ups of a plan whose results no later call takes: what the user wants to know."""
    for at, (call, result) in enumerate(done):
        new = set(_values(result)) - set(_values(call.arguments))
        taken = {v for later, _ in done[at + 1 :] for v in _values(later.arguments)}
        if what_was_done([(call, result)], known).found and not new & taken:
            yield call


def _values(value: Any) -> Iterator[str]:
    """The scalars in a JSON value, as texts; yes and no say nothing."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from _values(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(inner)
    elif value is not None and not isinstance(value, bool):
        yield canonical(value)


def _given(spec: Spec, call: ToolCall) -> dict[str, Any]:
    """A call's arguments without those that equal their default."""
    return {k: v for k, v in call.arguments.items() if v != spec.by_name[k].default}


def _text(spec: Spec, call: ToolCall) -> str:
    return f"{call.name} {canonical(_given(spec, call))}"
