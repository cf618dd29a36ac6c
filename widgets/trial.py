"""A policy to talk to: its calls, how sure it is of them, what they lead to, and a sample of each answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import traitlets

from looptool_kit.checks.rules import call_errors, form_faults
from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import show_call, table_html
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.policy.adapters import CONFIG
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy, in_use, open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.tried import keep_tried, take_back, tried, tried_file
from looptool_kit.widgets.answers import Function, first_request, objections, read_answer, result_of
from looptool_kit.widgets.detail import answer as label_card
from looptool_kit.widgets.detail import as_json, detail
from looptool_kit.widgets.drafts import kept_at
from looptool_kit.widgets.labels import LabelForm, label_text, predicted_label, read_label
from looptool_kit.widgets.view import read_only_note, script, style
from looptool_kit.world import execute, new_state

STUCK = (
    "It cannot be executed, as a call breaks its tool's schema: keep the right answer (“keep or correct …”),"
    " and the dialogue continues from that, or begin a new dialogue."
)


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
    pending = traitlets.Dict(help="request and policy of the answer that is being written").tag(sync=True)
    kept = traitlets.Unicode("", help="id of the sample that was kept of the newest answer").tag(sync=True)
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
        lost = [f"D{j}" for j in trained if _is_lost(run, j)]
        there = [name for name in names if name not in lost]
        if policy and policy not in names:
            raise ValueError(f"there is no policy {policy!r}; there are {', '.join(names)}")
        if policy in lost:
            raise ValueError(
                f"the weights of {policy} are not in {run.path} (a recorded run has none): take"
                f" {', '.join(there)}, or train again (looptool train {run.path})"
            )
        before = [m.content for m in first.messages if m.role == "system"] if first else []
        self._messages: list[Message] = []
        self._answer: Probe | None = None
        # The newest answer, which stays to be kept or corrected when it has become a turn of the dialogue.
        self._newest_answer: Probe | None = None
        # What the newest answer is to: policy and tools may be chosen again before it becomes a sample.
        self._asked, self._by = Sample(tools=(), messages=(), label=Label()), ""
        self._number = 0
        # The answer that a thread is writing, so that the kernel answers other views meanwhile.
        self._writing: asyncio.Task[dict[str, Any]] | None = None
        # The right answer that was kept of the newest one: the dialogue continues from it.
        self._right: Label | None = None
        self._ran: Label | None = None  # what of it was executed: the answer or the right one
        # The sample that `kept` names, the text it was made of, and what was said then.
        self._made: tuple[Sample, str, str] | None = None
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
        if (answer := self._answer) is not None:
            label = Label() if answer.answer.error else answer.answer.label
            return self._asked.model_copy(update={"label": label})
        return self._to_answer(self._messages)

    # --------------------------------------------------- what the page asks

    def on_state(self) -> dict[str, Any] | asyncio.Future[dict[str, Any]]:
        """The dialogue so far, for a page that was loaded again."""
        if (writing := self._writing) is None:
            return self._shown(self._made[2] if self._made else "")

        async def after() -> dict[str, Any]:
            await asyncio.wait([writing])
            return self._shown("")

        return asyncio.ensure_future(after())

    def on_ask(self, request: str, again: bool = False) -> dict[str, Any] | asyncio.Future[dict[str, Any]]:
        """Let the policy answer a request or results.

        The results that stand last, where the request is empty. With `again` what the newest answer is to,
        which takes its place.
        """
        self._refuse_while_writing()
        request = request.strip()
        results = self._answer is None and self._messages and self._messages[-1].role == "tool"
        if again and self._answer is None:
            raise ValueError("there is no answer to ask for again")
        if not again:
            if not request and not results:
                raise ValueError("type a request first")
            self._refuse_before_execution()
        if not self.chosen:
            raise ValueError("pick at least one tool: a policy without tools can only talk")
        messages = self._messages if again else [*self._messages, *self._turn()]
        if request:
            messages.append(Message(role="user", content=request))
        asked, by = self._to_answer(messages), self.policy
        policy = policy_of(self.run, 0 if by == "base" else int(by.removeprefix("D")))
        if policy.engine == "vllm":  # what it starts needs the signals of the main thread
            open_engine(policy, self.run.settings.probe.batch)

        def taken(completion: Completion) -> dict[str, Any]:
            answer = read_answer(completion, asked, self.run.iteration)
            self._messages, self._asked, self._by, self._right = messages, asked, by, None
            self._answer = self._newest_answer = answer
            self._number += 1
            self._keeps(None)
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

        self.pending = {"request": request, "by": by}
        self._writing = asyncio.ensure_future(written())
        return self._writing

    def on_execute(self, number: int) -> dict[str, Any]:
        """Run the newest answer's calls, confirmed by the person, without errors.

        Where a right answer was kept of it, the calls of that.
        """
        self._newest(number)
        calls = self._said().calls
        if not calls:
            raise ValueError("the answer holds no call")
        if self._answer is None:
            raise ValueError("the calls of this answer are executed already")
        tools = self.sample.tools
        if wrong := [error for call in calls for error in call_errors(call, tools)]:
            raise ValueError(f"not executed: {'; '.join(wrong)}")
        said = [result_of(call, self._functions, self._in_world) for call in calls]
        results = [Message(role="tool", name=c.name, content=r) for c, r in zip(calls, said, strict=True)]
        self._ran = self._said()
        self._messages, self._answer = [*self._messages, *self._turn(), *results], None
        return self._shown(
            "executed: ask with an empty field for the answer to the results, or type a request"
        )

    def on_save(self, text: str, number: int) -> dict[str, Any]:
        """Keep the dialogue up to an answer, the newest, as a sample.

        With the label that the text stands for.
        """
        answer = self._newest(number)
        sample = self._asked.model_copy(update={"label": Label()})
        label = read_label(text, sample)
        if wrong := form_faults(sample.model_copy(update={"label": label})):
            raise ValueError(f"a training would reject this dialogue: {'; '.join(wrong)}")
        self._right, before = label, {s.id for s in self.samples}
        made, place = keep_tried(self.run, sample, label, self._by, answer.text), ""
        if self._made and self._made[0].id != made.id:
            with suppress(RunError):  # somebody has changed that line since, who knows of it
                take_back(self.run, self._made[0])
                place = " in place of the one before"
        file = tried_file(self.run)
        use = f"To train on them: looptool loop NEW --set seeds.source={file}"
        told = f"kept as sample {made.id}{place} in {file}, {len(self.samples)} in all. {use}"
        if made.id not in before:
            self._keeps((made, text, told))
        elif made.id != self.kept:
            self._keeps(None)
            told = f"sample {made.id} was kept earlier, in {file}. {use}"
        return {"message": told, **self._next()}

    def on_take_back(self) -> dict[str, Any]:
        """Remove the sample just kept; answer with its label's text."""
        if self._made is None:
            raise ValueError("no sample was kept of this answer")
        made, text, _ = self._made
        take_back(self.run, made)
        self._keeps(None)
        self._right = None
        told = f"taken back: sample {made.id} is no longer in {tried_file(self.run)}"
        return {"message": told, **self._next(), "text": text}

    def on_fresh(self) -> dict[str, Any]:
        """Begin a new dialogue."""
        self._refuse_while_writing()
        self._messages, self._answer, self._newest_answer, self._state = [], None, None, {}
        self._right = None
        self._keeps(None)
        return self._shown("")

    # ------------------------------------------------------------- within

    def _keeps(self, made: tuple[Sample, str, str] | None) -> None:
        """Let this be the sample that can be taken back."""
        self._made, self.kept = made, made[0].id if made else ""

    def _newest(self, number: int) -> Probe:
        """The newest answer, if it is the one of that number.

        The page may still show an earlier one while the policy writes.
        """
        self._refuse_while_writing()
        if self._newest_answer is None:
            raise ValueError("there is no answer to use")
        if number != self._number:
            raise ValueError("the dialogue has gone on since this answer: look at the newest one")
        return self._newest_answer

    def static_html(self) -> str:
        rows: list[tuple[str, str]] = []
        for m in self._messages:
            rows.append((m.role, m.content or ", ".join(map(show_call, m.tool_calls))))
        if self._answer:
            rows.append((self._by, self._answer.text))
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

    def _turn(self) -> list[Message]:
        """The newest answer as a turn of the dialogue; empty where it is one already."""
        if self._answer is None:
            return []
        said = self._said()
        text = "" if said.calls else said.reply or self._answer.text
        return [Message(role="assistant", content=text, tool_calls=said.calls)]

    def _said(self) -> Label:
        """What the newest answer says, or the right one that was kept of it."""
        if self._right is not None:
            return self._right
        return self._newest_answer.answer.label if self._newest_answer else Label()

    def _refuse_before_execution(self) -> None:
        if self._answer is not None and self._said().calls:
            stuck = self._next()["stuck"]
            raise ValueError(stuck or "execute the calls of the answer first, or begin a new dialogue")

    def _in_world(self, call: ToolCall) -> Any:
        day = re.search(r"\d{4}-\d\d-\d\d", self.system)
        today = date.fromisoformat(day[0]) if day else date.today()
        self._state = self._state or new_state(today)
        return execute(call, self._state, Random(self.run.settings.seed))

    def _shown(self, message: str) -> dict[str, Any]:
        sample, answer = self.sample, self._newest_answer
        card = detail(sample)
        if answer is None:
            empty = {"label": "", "by": "", "executed": False, "replaced": False, "after": 0}
            more = {"objections": [], "number": self._number, **self._next()}
            return {"message": message, "sample": card, **more, **empty}
        label = Label() if answer.answer.error else answer.answer.label
        asked, executed = self._asked.model_copy(update={"label": label}), self._answer is None
        messages = card["messages"]
        card = detail(asked)
        card |= {
            "messages": messages,
            "label": {
                "calls": card["label"]["calls"],
                "reply": "" if answer.answer.calls else answer.answer.text or answer.text,
            },
            "tokens": [list(pair) for pair in zip(answer.tokens, answer.logprobs, strict=False)],
            "perplexity": answer.perplexity,
        }
        return {
            "message": message,
            "sample": card,
            "objections": objections(asked, answer),
            "label": "" if answer.answer.error else label_text(predicted_label(answer.answer)),
            "by": self._by,
            "executed": executed,
            "replaced": executed and self._ran != answer.answer.label,
            "after": next(k for k, m in enumerate(reversed(self._asked.messages)) if m.role == "user"),
            "number": self._number,
            **self._next(),
        }

    def _next(self) -> dict[str, Any]:
        """The right answer that was kept of the newest one, and what can be executed, or why nothing can."""
        calls = self._said().calls if self._answer is not None else ()
        wrong = any(call_errors(call, self._asked.tools) for call in calls)
        where = "your functions" if self._functions else "the simulated world"
        return {
            "made": label_card(self._right) if self._right else None,
            "text": self._made[1] if self._made else "",
            "late": self._answer is None and self._right not in (None, self._ran),
            "runs": f"{where}: {', '.join(map(show_call, calls))}" if calls and not wrong else "",
            "stuck": STUCK if wrong else "",
        }


def _is_lost(run: Run, iteration: int) -> bool:
    """Tell whether a policy's weights are not there.

    Whatever else is wrong with it is said when it is asked.
    """
    try:
        return not (Path(policy_of(run, iteration).adapter or "") / CONFIG).exists()
    except RunError:
        return False
