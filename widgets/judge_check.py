"""A judge's report card.

Precision, recall and abstention by kind of planted error, and every trial.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import traitlets

from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import table_html
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.terminal import duration
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.drawing import intervals, picture
from looptool_kit.run.folder import Run
from looptool_kit.studies.judge_card import read_card
from looptool_kit.studies.judge_check import Trial, Trials, card, right_samples, summary
from looptool_kit.studies.judge_merits import Share
from looptool_kit.studies.judge_target import model_calls, models_asked
from looptool_kit.widgets.checking import Checking
from looptool_kit.widgets.detail import aligned, answer, detail
from looptool_kit.widgets.difference import difference
from looptool_kit.widgets.rows import Rows, TableView
from looptool_kit.widgets.view import how_to_make, in_words, on_page, script, style

MEASURES = {
    "precision": (
        "precision",
        "of its LABEL_WRONG verdicts, those where the label was wrong and the prediction right",
    ),
    "recall": (
        "recall",
        "of the trials with a wrong label and a right prediction, those called LABEL_WRONG",
    ),
    "abstention": ("left unjudged", "of all trials, those without a verdict"),
    "right": ("right verdict", "of all trials, those with the expected verdict"),
    "consistent": ("same in repeats", "of all trials, those with one verdict in all repeats"),
}
"""The card's shares: what each column is called, as on the command's card, and what it says.

95% intervals are Wilson's.
"""
COLUMNS = (
    ("kind", "the error that was planted; other words: both sides are right"),
    ("trials", "questions asked"),
    *MEASURES.values(),
)
FACETS = ("kind", "expected", "verdict", "right")
WIDTHS: dict[str, float | str] = {
    "label → prediction": "minmax(9em, 4fr)",
    "request": "minmax(4em, 2fr)",
    "kind": "minmax(6em, 13.5em)",
    "expected": "9.4em",
    "verdict": "9.4em",
    "right": "4.5em",
}
"""Of the columns; a narrow table cuts the kind before the request is gone."""
STATIC_ROWS = 10
"""Rows in a notebook without a kernel."""


class JudgeCheckView(TableView):
    """The report card of a judge and its trials.

    `JudgeCheckView(run)` or `JudgeCheckView(trials, samples)`. Of a run, the card that `looptool judge-
    check` wrote last is shown. Of a checked file, give
    `Trials.read("FILE.judge_check/JUDGE/trials.parquet")` and `Samples.read("FILE")`. Read back:
    `selection`, `filters`, `search`, `sort`.
    """

    _esm = script("sample", "table_head", "table", "judge_check")
    _css = style()

    card: traitlets.List[Any] = traitlets.List(
        help="for each kind of error: kind, trials, and a text for each measure"
    ).tag(sync=True)
    measures: traitlets.List[Any] = traitlets.List(help="name and meaning of the card's columns").tag(
        sync=True
    )
    lead = traitlets.Unicode(help="what was done, above the card").tag(sync=True)
    about: traitlets.List[Any] = traitlets.List(help="lines about the whole card").tag(sync=True)
    chart = traitlets.Unicode(help="the card's intervals as SVG").tag(sync=True)
    offer = traitlets.Unicode(help="what a check costs, empty where none can be made from here").tag(
        sync=True
    )
    running = traitlets.Bool(False, help="whether a check is under way").tag(sync=True)
    progress = traitlets.Unicode("", help="how far the check is, or what came of it").tag(sync=True)
    share = traitlets.Int(-1, help="percent of the check that are done; -1: not known").tag(sync=True)
    failed = traitlets.Bool(False, help="whether the last check gave no card").tag(sync=True)
    shown = traitlets.Int(0, help="changes whenever another card is to be shown").tag(sync=True)

    unseen = False
    """Whether a check that was started here has an outcome that no page has shown yet."""

    def __init__(self, run: Run | Trials, samples: Sequence[Sample] | None = None) -> None:
        """`samples`: those that were checked, under their true labels.

        Only without a run. Where a run has no card, or was seeded again since, the view is empty and says
        what to do.

        Raises `ValueError` for trials that were not answered, or whose sample is not among the samples.
        """
        self.run = run if isinstance(run, Run) else None
        self._checking: Checking | None = None
        rows, traits = self._read(run, samples)
        super().__init__(rows, widths=WIDTHS, measures=[list(pair) for pair in COLUMNS], **traits)

    def _read(self, run: Run | Trials, samples: Sequence[Sample] | None) -> tuple[Rows, dict[str, Any]]:
        """Take the trials to show; their rows, and what stands beside them."""
        facts: dict[str, Any] = {}
        missing = ""
        if isinstance(run, Run):
            try:
                self._trials, samples, facts = _newest(run)
            except RunError as error:
                self._trials, samples, missing = Trials(), (), str(error)
        else:
            self._trials = run
        if unanswered := sum(not t.verdicts for t in self._trials):
            raise ValueError(
                f"{unanswered} of {len(self._trials)} trials carry no verdict: ask the judge first"
                " (judge_check.ask)"
            )
        self._samples = {s.id: s for s in samples or ()}
        if strangers := [t.sample_id for t in self._trials if t.sample_id not in self._samples]:
            raise ValueError(
                f"{len(strangers)} of {len(self._trials)} trials are about samples that are not among the"
                f" {len(self._samples)} given (the first: {strangers[0]}): give those that were checked,"
                " under their true labels"
            )
        self._card = card(self._trials)
        return self._rows(), {
            "card": [
                [in_words(r.kind), r.trials, *(str(getattr(r, m)) for m in MEASURES)] for r in self._card
            ],
            "lead": _lead(self._trials) if len(self._trials) else "",
            "about": [
                *_asked(facts),
                *(summary(self._trials, facts) if len(self._trials) else [missing or "There are no trials."]),
            ],
            "chart": self._chart() if len(self._trials) else "",
            "missing": missing,
            "offer": _offer(run, facts) if isinstance(run, Run) else "",
        }

    @property
    def selection(self) -> Trials:
        """The trials shown (filters and search applied), in that order."""
        return Trials(self._trials[i] for i in self.order)

    def on_sample(self, at: int) -> dict[str, Any]:
        """The trial at place `at` of the order shown.

        Sample, label that the judge saw, right answer, and verdicts.
        """
        if not 0 <= int(at) < len(self.order):
            return {"sample": None, "trial": None}
        trial = self._trials[self.order[int(at)]]
        sample = detail(self._samples[trial.sample_id].model_copy(update={"label": trial.label}))
        prediction = answer(trial.prediction) | {
            "error": trial.prediction.error or "",
            "detail": trial.prediction.detail,
        }
        sample |= {
            "id": trial.sample_id,
            "prediction": prediction,
            "aligned": aligned(trial.label, trial.prediction),
            "faults": [],
        }
        about = {
            "kind": in_words(trial.kind),
            "expected": trial.expected,
            "answer": answer(self._samples[trial.sample_id].label),
            "verdicts": list(trial.verdicts),
            "rationale": trial.rationale,
        }
        return {"sample": sample, "trial": about}

    def on_cost(self) -> dict[str, Any]:
        """Return the question before a check; empty where it is free."""
        run = self._checkable()
        models, calls = model_calls(run)
        if not models:
            return {"question": ""}
        most = run.settings.calls.most
        budget = f"calls.most allows {most:,} for each" if most else "there is no budget (calls.most)"
        asked = " and ".join(f"{m.model} at {m.base_url}" for m in models)
        return {
            "question": f"A check asks {asked} up to {calls:,} times{' each' * (len(models) > 1)};"
            f" {budget}. Answers kept from an earlier check are not paid again. Check now?"
        }

    def on_check(self) -> dict[str, Any]:
        """Start a check, as `looptool judge-check` makes it."""
        run = self._checkable()
        if self.running:
            raise ValueError("a check is under way already")
        self.running, self.failed, self.unseen, self.share = True, False, True, -1
        self.progress = "The check has started. You may go to other tabs meanwhile."
        self._checking = Checking(run.path, self._say, self._ended)
        return {}

    def on_stop(self) -> dict[str, Any]:
        """Stop the check that is under way."""
        if self._checking and self.running:
            self._checking.stop()
        return {}

    def on_renew(self) -> dict[str, Any]:
        """Show what came of a check that has ended since."""
        if self.running or not self.unseen:
            return {}
        self.unseen = False
        if not self.failed and self.run is not None:
            rows, traits = self._read(self.run, None)
            with self.hold_sync():
                self.set_trait("filters", {})
                for name, value in traits.items():
                    self.set_trait(name, value)
                self.replace(rows)
                self.progress = "The check has ended; this is its card."
                self.shown += 1
        return {}

    def close(self) -> None:
        """Stop a check that is under way, and remove the view."""
        if self._checking is not None:
            self._checking.stop()
        super().close()

    def _checkable(self) -> Run:
        if self.run is None or not self.offer:
            raise ValueError("the judge cannot be checked from here: use `looptool judge-check`")
        return self.run

    def _say(self, words: str) -> None:
        with self.hold_sync():
            self.progress = words.removeprefix("judge-check: ")
            if done := re.match(r"judge-check: (\d+)%", words):
                self.share = int(done[1])

    def _ended(self, why: str) -> None:
        with self.hold_sync():
            self.failed, self.progress, self.running = bool(why), why or "The check has ended.", False

    def static_html(self) -> str:
        if not len(self._trials):
            return table_html((), (), " ".join(self.about))
        names = [name for name, _ in COLUMNS]
        table = table_html(names, self.card, " ".join((self.lead, *self.about)))
        rows = [[self.rows.cell(c, i) for c in self.rows.names] for i in self.order[:STATIC_ROWS]]
        return (
            table
            + picture(self.chart)
            + table_html(
                self.rows.names,
                rows,
                f"{len(rows)} of {len(self.order):,} trials",
                wide=("label → prediction", "request"),
            )
        )

    def _rows(self) -> Rows:
        trials = self._trials
        requests = [self._samples[t.sample_id].request for t in trials]
        columns = {
            # A sample is asked about many times: first what no other trial has.
            "label → prediction": [difference(t.label, t.prediction) or "the same" for t in trials],
            "kind": [in_words(t.kind) for t in trials],
            "expected": [t.expected for t in trials],
            "verdict": [t.verdict for t in trials],
            "right": ["yes" if t.verdict == t.expected else "no" for t in trials],
            "request": requests,
        }

        def text(i: int) -> str:
            t: Trial = trials[i]
            return "\n".join(
                (t.sample_id, requests[i], render_answer(t.label), render_answer(t.prediction), t.rationale)
            )

        return Rows(columns, FACETS, text)

    def _chart(self) -> str:
        def bounds(share: Share) -> tuple[float, float, float] | None:
            return (share.lo, share.k / share.n, share.hi) if share.n else None

        rows = [(in_words(r.kind), [bounds(getattr(r, m)) for m in MEASURES]) for r in self._card]
        return intervals(
            rows, [name for name, _ in MEASURES.values()], "shares by kind of error, with 95% intervals"
        )


def _newest(run: Run) -> tuple[Trials, Samples, dict[str, Any]]:
    """The trials of the run's newest card, their samples, and its facts.

    The samples are the run's pool under its true labels.
    """
    cards = sorted((run.path / "judge_check").glob("*/card.json"), key=lambda p: p.stat().st_mtime_ns)
    how = "Press the button, or in" if _offer(run, {}) else "In"
    command = f"looptool judge-check {run.path.resolve()}"
    then = "come back to this tab" if on_page() else "run the cell again"
    again = f"{how} a terminal: {command}. Then {then}."
    if not (run.folder(0) / "pool.parquet").exists() and not cards:
        raise RunError(
            "The judge is checked on the run's own samples, and there are none yet."
            f" {how_to_make(run, 'lt.seed(run)')}"
        )
    if not cards:
        raise RunError(f"The judge has not been checked on this run's data yet. {again}")
    path: Path = cards[-1].with_name("trials.parquet")
    if not path.exists():
        raise RunError(f"{path} is missing, the trials behind {cards[-1]}. {again}")
    truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0)}
    trials = Trials.read(path)
    samples = right_samples(run.table(Samples, "pool", 0), truth)
    known = {s.id for s in samples}
    if strange := sum(t.sample_id not in known for t in trials):
        raise RunError(
            f"{strange} of {len(trials)} trials are about samples that are not among the run's seed pool,"
            f" which was made again after the check. {again}"
        )
    return trials, samples, read_card(run, cards[-1])


def _offer(run: Run, facts: dict[str, Any]) -> str:
    """What a check of the run's judge costs; empty where none can be made."""
    judge = run.settings.verify.judge
    if run.read_only or not (run.folder(0) / "pool.parquet").exists():
        return ""
    try:
        models = models_asked(run)
    except (RunError, ValueError):
        return ""
    if not models:
        seconds = facts.get("seconds")
        before = f" The last one took {duration(seconds)}." if seconds else ""
        return f"The judge {judge!r} runs on this machine: a check costs nothing.{before}"
    names = " and ".join(f"{m.model} at {m.base_url}" for m in models)
    return (
        f"The judge {judge!r} asks {names}, which may cost money: the number of calls is said first, and you"
        " are asked once."
    )


def _asked(facts: dict[str, Any]) -> list[str]:
    if not facts:
        return []
    policy = ", with the log-probabilities of a policy" if facts.get("policy") else ""
    return [f"Judge {facts['judge']}{policy}: {facts['samples']} samples."]


def _lead(trials: Trials) -> str:
    planted = len({t.sample_id for t in trials})
    return (
        f"Errors were planted in {planted:,} samples, and the judge was asked which side is wrong. Shares"
        " stand with 95% intervals."
    )
