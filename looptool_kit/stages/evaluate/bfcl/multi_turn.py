"""BFCL's multi-turn dialogues, many at once.

The policy calls, the official environments answer, turn by turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.samples import Message, Tool, ToolCall
from looptool_kit.policy.engines import Completion, Engine, Sampling, perplexity
from looptool_kit.policy.engines.prompts import fits
from looptool_kit.stages.evaluate import Entry
from looptool_kit.stages.evaluate.bfcl.env import Worker, WorkerError
from looptool_kit.stages.evaluate.bfcl.labels import messages_of, tools_of

STEPS = 20
"""Most steps of a turn before the dialogue is ended, as officially."""


class Dialogue(NamedTuple):
    """A dialogue as it was played."""

    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]
    """Everything before the last completion."""
    last: Completion | None
    turns: tuple[tuple[tuple[ToolCall, ...], ...], ...]
    """The calls of each step of each turn."""
    ended: str
    """Empty where it ended as it should; else `steps` (too many in a turn), `context` (no room left) or what
    failed in the environment.
    """
    perplexity: float
    """Over all tokens that the policy wrote; at least 1."""

    @property
    def text(self) -> str:
        """The last completion's; empty where there is none."""
        return self.last.text if self.last else ""


class _Chat(NamedTuple):
    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]


class _Playing:
    """A dialogue under way."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        self.tools = tools_of(entry["tools"])
        self.messages: list[Message] = []
        self.turns: list[list[tuple[ToolCall, ...]]] = []
        self.last: Completion | None = None
        self.said: tuple[Message, ...] = ()
        self.ended: str | None = None
        self.logprob, self.tokens = 0.0, 0
        self.next_turn()

    @property
    def chat(self) -> _Chat:
        return _Chat(self.tools, tuple(self.messages))

    def next_turn(self) -> None:
        at = len(self.turns)
        if at == len(self.entry["turns"]):
            self.ended = ""
            return
        self.tools += tools_of(self.entry["later"].get(str(at), ()))
        self.messages += messages_of(self.entry["turns"][at])
        self.turns.append([])

    def heard(self, completion: Completion, worker: Worker, session: str) -> None:
        """Take the policy's next completion.

        Run its calls, or begin the next turn.
        """
        self.last, self.said = completion, tuple(self.messages)
        self.logprob += sum(completion.logprobs)
        self.tokens += len(completion.logprobs)
        answer = completion.answer(self.tools)
        calls = answer.calls if answer.error is None else ()
        self.turns[-1].append(calls)
        if not calls:
            plain = completion.form.projects or bool(answer.error)
            said = completion.text if plain else answer.text  # without the marks of a form of its own
            self.messages.append(Message(role="assistant", content=said))
            self.next_turn()
            return
        self.messages.append(Message(role="assistant", content=answer.text, tool_calls=calls))
        try:
            results = worker.ask(
                "execute", session=session, id=self.entry["id"], calls=[[c.name, c.arguments] for c in calls]
            )
        except WorkerError as error:
            self.ended = str(error)
            return
        self.messages += [
            Message(role="tool", name=c.name, content=r) for c, r in zip(calls, results, strict=True)
        ]
        if sum(map(bool, self.turns[-1])) > STEPS:
            self.ended = "steps"

    def done(self) -> Dialogue:
        turns = self.said if self.last is not None else tuple(self.messages)
        return Dialogue(
            self.tools,
            turns,
            self.last,
            tuple(map(tuple, self.turns)),
            self.ended or "",
            perplexity(self.logprob, self.tokens),
        )


def play(worker: Worker, max_new_tokens: int, engine: Engine, entries: Sequence[Entry]) -> list[Dialogue]:
    """Play the dialogues with greedy answers, in steps of all.

    The source of an entry is a row of `worker.Official.entries`.
    """
    playing = [_Playing(entry.source) for entry in entries]
    while running := [d for d in playing if d.ended is None]:
        for d in running:
            if not fits(engine, d.chat):
                d.ended = "context"
        running = [d for d in running if d.ended is None]
        for d, (completion,) in zip(
            running, engine.generate([d.chat for d in running], Sampling(max_new_tokens)), strict=True
        ):
            d.heard(completion, worker, "play")
    for d in playing:
        worker.ask("forget", session="play", id=d.entry["id"])
    return [d.done() for d in playing]
