"""A policy to talk to: its calls, how sure it is of them, what they lead to, and a sample of each answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from random import Random
from typing import Any

import traitlets

from looptool_kit.checks.rules import call_errors, form_faults
from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import show_call, table_html
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy, in_use, open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.tried import keep_tried, take_back, tried, tried_file
from looptool_kit.widgets.answers import (
    STUCK,
    Function,
    answer_card,
    first_request,
    is_lost,
    objections,
    read_answer,
    result_of,
    rivals,
    tried_here,
    tried_rows,
)
from looptool_kit.widgets.detail import answer as label_card
from looptool_kit.widgets.detail import as_json, detail
from looptool_kit.widgets.dialogue import NO_SAMPLE, Dialogue
from looptool_kit.widgets.drafts import kept_at
from looptool_kit.widgets.labels import LabelForm, label_text, predicted_label, read_label
from looptool_kit.widgets.view import read_only_note, script, style
from looptool_kit.world import execute, new_state


class TryView(LabelForm):
    """Type a request, pick tools, see the policy's answer: `TryView(run)`.

    An answer shows its calls, its log-probabilities and what the rule tier objects to. After a confirmation
    its calls are executed: by `functions` of your own, else by the world. An answer becomes a sample with the
    right label in `tried.jsonl` of the run; `samples` reads them back.
    """

    _esm = script("sample", "label_fields", "label_form", "drafts", "try_parts", "try")
    _css = style()

    policies: traitlets.List[Any] = traitlets.List(help="names of the policies").tag(sync=True)
    lost: traitlets.List[Any] = traitlets.List(help="those whose weights are not there").tag(sync=True)
    policy = traitlets.Unicode("", help="the one that is asked").tag(sync=True)
    offered: traitlets.List[Any] = traitlets.List(help="name, description, schema of each tool").tag(
        sync=True
    )
    chosen: traitlets.List[Any] = traitlets.List(help="names of the tools on offer").tag(sync=True)
    system = traitlets.Unicode("", help="what is said before the dialogue").tag(sync=True)
    draft = traitlets.Unicode("", help="the request that is being typed").tag(sync=True)
    written = traitlets.Dict(help="number of an answer, and text of its right label while it is typed").tag(
        sync=True
    )
    pending = traitlets.Dict(help="dialogue and policy of the answer that is being written").tag(sync=True)
    kept = traitlets.Unicode("", help="id of the sample that was kept of the newest answer").tag(sync=True)
    tried: traitlets.List[Any] = traitlets.List(help="id, request and label of all samples kept").tag(
        sync=True
    )
    example = traitlets.Unicode("", help="a request to begin with, empty where there is none").tag(sync=True)
    blocked = traitlets.Unicode("", help="why no sample can be kept, empty where it can").tag(sync=True)

    def __init__(self, run: Run, policy: str = "", functions: Sequence[Function] = ()) -> None:
        """Talk to a policy.

        Args:
            run: its policies, tools and system message are used.
            policy: the one to ask first, e.g. `base` or `D2`; empty: the newest whose weights are there.
            functions: Python functions with the names of tools, which calls may run; without them calls of
                the world's tools run in the world.

        Raises:
            RunError: the run has no dataset, and so no tools, yet.
            ValueError: there is no such policy, or its weights are not in the run.
        """
        self.run = run
        if not run.iterations:
            raise RunError(f"{run.path} has no dataset yet: run `looptool loop {run.path}` first.")
        self._functions = {f.__name__: f for f in functions}
        self._tools: dict[str, Tool] = {}
        first: Sample | None = None
        for sample in run.stored(Samples, "samples", run.iteration):
            first = first or sample
            for tool in sample.tools:
                self._tools.setdefault(tool.name, tool)
        trained = [j for j in run.iterations if run.manifest("policy", j)]
        names = ["base", *(f"D{j}" for j in trained)]
        lost = [f"D{j}" for j in trained if is_lost(run, j)]
        there = [name for name in names if name not in lost]
        if policy and policy not in names:
            raise ValueError(f"there is no policy {policy!r}; there are {', '.join(names)}")
        if policy in lost:
            raise ValueError(
                f"the weights of {policy} are not in {run.path} (a recorded run has none): take"
                f" {', '.join(there)}, or train again (looptool train {run.path})"
            )
        before = [m.content for m in first.messages if m.role == "system"] if first else []
        self._now = Dialogue()
        self._number = 0
        # The answer that a thread is writing, so that the kernel answers other views meanwhile.
        self._writing: asyncio.Task[dict[str, Any]] | None = None
        self._state: dict[str, Any] = {}
        super().__init__(
            policies=names,
            lost=lost,
            policy=policy or there[-1],
            offered=[[t.name, t.description, as_json(t.parameters, indent=1)] for t in self._tools.values()],
            chosen=[t.name for t in first.tools] if first else [],
            system=before[0] if before else "",
            example=first_request(first) if first else "",
            blocked=read_only_note(run),
            kept_at=kept_at(run, self),
            tried=tried_rows(run),
        )

    @property
    def samples(self) -> Samples:
        """The samples that were kept from answers, here and earlier."""
        return tried(self.run)

    @property
    def sample(self) -> Sample:
        """The dialogue so far, as a sample.

        What the newest answer is to, with it as label, else with the tools chosen.
        """
        if (answer := self._now.answer) is not None:
            label = Label() if answer.answer.error else answer.answer.label
            return self._now.asked.model_copy(update={"label": label})
        return self._to_answer(self._now.messages)

    # --------------------------------------------------- what the page asks

    def on_state(self) -> dict[str, Any] | asyncio.Future[dict[str, Any]]:
        """The dialogue so far, for a page that was loaded again."""
        if (writing := self._writing) is None:
            return self._shown(self._now.told)

        async def after() -> dict[str, Any]:
            await asyncio.wait([writing])
            return self._shown("")

        return asyncio.ensure_future(after())

    def on_resume(self, memory: str) -> dict[str, Any] | asyncio.Future[dict[str, Any]]:
        """Continue a dialogue that a page had kept.

        Unless one has begun here.
        """
        if self._writing is not None or self._now != Dialogue():
            return self.on_state()
        try:
            before = Dialogue.model_validate_json(memory)
        except ValueError:
            return self._shown("The dialogue from before cannot be read by this version: a new one begins.")
        made = before.made and tried_here(self.run).get(before.made.id)
        self._number += 1
        self._becomes(before.model_copy(update={} if made else NO_SAMPLE))
        calls = [call for m in before.messages for call in m.tool_calls]
        for call in () if self._functions else calls:  # the world is again as they had left it
            if not call_errors(call, tuple(self._tools.values())):
                self._in_world(call)
        return self._shown("The dialogue from before is here again.")

    def on_ask(self, request: str, again: bool = False) -> dict[str, Any] | asyncio.Future[dict[str, Any]]:
        """Let the policy answer a request or results.

        The results that stand last, where the request is empty. With `again` what the newest answer is to,
        which takes its place.
        """
        self._refuse_while_writing()
        request = request.strip()
        now = self._now
        results = now.answer is None and now.messages and now.messages[-1].role == "tool"
        if again and now.answer is None:
            raise ValueError("there is no answer to ask for again")
        if not again:
            if not request and not results:
                raise ValueError("type a request first")
            self._refuse_before_execution()
        if not self.chosen:
            raise ValueError("pick at least one tool: a policy without tools can only talk")
        said = (Message(role="user", content=request),) if request else ()
        messages = now.messages if again else (*now.messages, *now.turn(), *said)
        asked, by = self._to_answer(messages), self.policy
        policy = policy_of(self.run, 0 if by == "base" else int(by.removeprefix("D")))
        if policy.engine == "vllm":  # what it starts needs the signals of the main thread
            open_engine(policy, self.run.settings.probe.batch)

        def taken(completion: Completion) -> dict[str, Any]:
            answer = read_answer(completion, asked, self.run.iteration)
            self._number += 1
            self._becomes(Dialogue(messages=messages, asked=asked, by=by, newest=answer))
            return self._shown(f"{by} has answered")

        try:
            asyncio.get_running_loop()
        except RuntimeError:  # no kernel, so no other view to answer
            return taken(self._completed(policy, asked))

        async def written() -> dict[str, Any]:
            try:
                return taken(await asyncio.to_thread(self._completed, policy, asked))
            finally:
                self._writing, self.pending = None, {}

        shown = detail(asked.model_copy(update={"messages": messages}))["messages"]
        self.pending = {"messages": shown, "by": by}
        self._writing = asyncio.ensure_future(written())
        return self._writing

    def on_execute(self, number: int) -> dict[str, Any]:
        """Run the newest answer's calls, confirmed by the person, without errors.

        Where a right answer was kept of it, the calls of that.
        """
        self._newest(number)
        now = self._now
        calls = now.said.calls
        if not calls:
            raise ValueError("the answer holds no call")
        if now.turned:
            raise ValueError("the calls of this answer are executed already")
        tools = self.sample.tools
        if wrong := [error for call in calls for error in call_errors(call, tools)]:
            raise ValueError(f"not executed: {'; '.join(wrong)}")
        said = [result_of(call, self._functions, self._in_world) for call in calls]
        results = [Message(role="tool", name=c.name, content=r) for c, r in zip(calls, said, strict=True)]
        messages = (*now.messages, *now.turn(), *results)
        self._becomes(now.model_copy(update={"messages": messages, "turned": True, "ran": now.said}))
        return self._shown(
            "executed: ask with an empty field for the answer to the results, or type a request"
        )

    def on_save(self, text: str, number: int) -> dict[str, Any]:
        """Keep the dialogue up to an answer, the newest, as a sample.

        With the label that the text stands for.
        """
        answer, now = self._newest(number), self._now
        sample = now.asked.model_copy(update={"label": Label()})
        label = read_label(text, sample)
        if wrong := form_faults(sample.model_copy(update={"label": label})):
            raise ValueError(f"a training would reject this dialogue: {'; '.join(wrong)}")
        before = {s.id for s in self.samples}
        made, place = keep_tried(self.run, sample, label, now.by, answer.text), ""
        if now.made and now.made.id != made.id:
            with suppress(RunError):  # somebody has changed that line since, who knows of it
                take_back(self.run, now.made)
                place = " in place of the one before"
        file = tried_file(self.run)
        use = f"To train on them: looptool loop NEW --set seeds.source={file}"
        told = f"kept as sample {made.id}{place} in {file}, {len(self.samples)} in all. {use}"
        changes: dict[str, Any] = {}
        if made.id not in before:
            changes = {"made": made, "text": text, "told": told}
        elif made.id != self.kept:
            changes = NO_SAMPLE
            told = f"sample {made.id} was kept earlier, in {file}. {use}"
        told += rivals(self.run, made)
        self._becomes(now.model_copy(update={"right": label, **changes}))
        return {"message": told, **self._next()}

    def on_take_back(self, id: str) -> dict[str, Any]:
        """Remove a kept sample.

        For that of the newest answer it answers with the label's text.
        """
        now = self._now
        newest = now.made is not None and now.made.id == id
        made = now.made if newest else tried_here(self.run).get(id)
        if made is None:
            raise ValueError(f"there is no sample {id} in {tried_file(self.run)}")
        take_back(self.run, made)
        text = now.text if newest else ""
        gone = {"right": None, **NO_SAMPLE} if newest else {}
        self._becomes(now.model_copy(update=gone))
        told = f"taken back: sample {id} is no longer in {tried_file(self.run)}"
        return {"message": told, **self._next(), "text": text}

    def on_fresh(self) -> dict[str, Any]:
        """Begin a new dialogue."""
        self._refuse_while_writing()
        self._state = {}
        self._becomes(Dialogue())
        return self._shown("")

    # ------------------------------------------------------------- within

    def _becomes(self, dialogue: Dialogue) -> None:
        self._now, self.kept = dialogue, dialogue.made.id if dialogue.made else ""
        self.tried = tried_rows(self.run)

    def _newest(self, number: int) -> Probe:
        """The newest answer, if it is the one of that number.

        The page may still show an earlier one while the policy writes.
        """
        self._refuse_while_writing()
        if self._now.newest is None:
            raise ValueError("there is no answer to use")
        if number != self._number:
            raise ValueError("the dialogue has gone on since this answer: look at the newest one")
        return self._now.newest

    def static_html(self) -> str:
        rows: list[tuple[str, str]] = []
        for m in self._now.messages:
            rows.append((m.role, m.content or ", ".join(map(show_call, m.tool_calls))))
        if answer := self._now.answer:
            rows.append((self._now.by, answer.text))
        return table_html(("who", "says"), rows, f"a dialogue with {self.policy} of {self.run.name}")

    def _completed(self, policy: Policy, asked: Sample) -> Completion:
        """What the policy answers."""
        settings = self.run.settings.probe
        with in_use:
            engine = open_engine(policy, settings.batch)
            [[completion]] = engine.generate([asked], Sampling(settings.max_new_tokens))
        return completion

    def _refuse_while_writing(self) -> None:
        if self._writing is not None:
            raise ValueError("the policy is still writing: wait for its answer")

    def _to_answer(self, messages: Sequence[Message]) -> Sample:
        """What the policy is asked: a dialogue with the tools chosen."""
        tools = tuple(self._tools[name] for name in self.chosen if name in self._tools)
        system = [Message(role="system", content=self.system)] if self.system.strip() else []
        return Sample(tools=tools, messages=(*system, *messages), label=Label(), source="person")

    def _refuse_before_execution(self) -> None:
        if self._now.answer is not None and self._now.said.calls:
            stuck = self._next()["stuck"]
            raise ValueError(stuck or "execute the calls of the answer first, or begin a new dialogue")

    def _in_world(self, call: ToolCall) -> Any:
        day = re.search(r"\d{4}-\d\d-\d\d", self.system)
        today = date.fromisoformat(day[0]) if day else date.today()
        self._state = self._state or new_state(today)
        return execute(call, self._state, Random(self.run.settings.seed))

    def _shown(self, message: str) -> dict[str, Any]:
        sample, answer, now = self.sample, self._now.newest, self._now
        card = detail(sample)
        if answer is None:
            empty = {"label": "", "by": "", "executed": False, "replaced": False, "after": 0}
            more = {"objections": [], "number": self._number, **self._next()}
            return {"message": message, "sample": card, **more, **empty}
        label = Label() if answer.answer.error else answer.answer.label
        asked = now.asked.model_copy(update={"label": label})
        card = answer_card(asked, answer) | {"messages": card["messages"]}
        return {
            "message": message,
            "sample": card,
            "objections": objections(asked, answer),
            "label": "" if answer.answer.error else label_text(predicted_label(answer.answer)),
            "by": now.by,
            "executed": now.turned,
            "replaced": now.turned and now.ran != answer.answer.label,
            "after": next(k for k, m in enumerate(reversed(now.asked.messages)) if m.role == "user"),
            "number": self._number,
            **self._next(),
        }

    def _next(self) -> dict[str, Any]:
        """The right answer that was kept of the newest one, and what can be executed, or why nothing can."""
        now = self._now
        calls = () if now.turned else now.said.calls
        wrong = any(call_errors(call, now.asked.tools) for call in calls)
        where = "your functions" if self._functions else "the simulated world"
        return {
            "memory": now.memory(),
            "made": label_card(now.right) if now.right else None,
            "text": now.text,
            "late": now.turned and now.right not in (None, now.ran),
            "runs": f"{where}: {', '.join(map(show_call, calls))}" if calls and not wrong else "",
            "stuck": STUCK if wrong else "",
        }
