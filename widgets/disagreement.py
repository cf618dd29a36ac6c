"""The review desk for JGLV (LoopTool, section 3.4).

A person confirms or changes the judge's verdicts.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from typing import Any

import numpy as np
import traitlets

from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import table_html
from looptool_kit.core.records import VERDICTS, Probes, Verdicts
from looptool_kit.core.samples import Label, Samples
from looptool_kit.core.stats import Kappa
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run
from looptool_kit.widgets import review
from looptool_kit.widgets.decision import as_shown, as_value, label_of, verdict_of, written_at
from looptool_kit.widgets.detail import detail
from looptool_kit.widgets.drafts import UNSAVED, is_text, is_unsaved, restore_texts
from looptool_kit.widgets.labels import LabelForm, label_text, read_label, tools_of
from looptool_kit.widgets.rows import Rows
from looptool_kit.widgets.selection import SampleTable, tags_of
from looptool_kit.widgets.view import error_in_words, script, stage_of, style

NOT_REVIEWED = "not reviewed"
_DECIDED = (NOT_REVIEWED, *VERDICTS)
_STATIC_ROWS = 10
"""Rows in a notebook without a kernel."""
_STATIC_COLUMNS = ("request", "judge", "confidence", "decided", "error", "tool")


class DisagreementView(LabelForm, SampleTable):
    """An iteration's verdicts, least confident first, with the judge's evidence.

    A decision is in `decisions.jsonl` at once and takes effect at the next expand and compose. Python values:
    `decisions`, `kappa`, `progress`, `selection`.
    """

    _esm = script(
        *("sample", "table_head", "table", "drafts", "keep", "judgement"),
        *("label_fields", "label_form", "label_editor", "desk", "disagreement"),
    )
    _css = style()

    drafts = traitlets.Dict().tag(sync=True)
    """Sample id -> text of a label that is being edited."""
    notes = traitlets.Dict().tag(sync=True)
    """Sample id -> note that no verdict has taken up yet."""
    progress = traitlets.Dict(
        help="reviewed, left, accepted together, and how person and judge agree: n, observed, kappa"
    ).tag(sync=True)
    blind = traitlets.Bool(False).tag(sync=True)
    """Hide the judge's verdict on a row until the person has decided."""
    choices: traitlets.List[Any] = traitlets.List(help="name, words, effect of each verdict").tag(sync=True)
    iteration = traitlets.Int(help="of the verdicts").tag(sync=True)

    def __init__(self, run: Run, iteration: int | None = None, only: Collection[str] | None = None) -> None:
        """Show the verdicts of an iteration.

        Args:
            run: its run.
            iteration: None: the newest that has verdicts. Where it has none the view is empty and says so.
            only: ids of the samples to show; None: all.
        """
        self.run = run
        j, missing = stage_of(run, "verdicts", iteration)
        judged = Verdicts() if missing else run.table(Verdicts, "verdicts", j)
        shown = judged.where(lambda v: only is None or v.sample_id in only)
        # Of rows of equal confidence, as all unjudged ones are, the likeliest wrong label comes first.
        self.verdicts = Verdicts(sorted(shown, key=lambda v: 1.0 if v.for_label is None else v.for_label))
        by_id = {} if missing else run.table(Samples, "samples", j).by_id()
        probed = {} if missing else {p.sample_id: p for p in run.table(Probes, "probes", j)}
        self.samples = [by_id[v.sample_id] for v in self.verdicts]
        self.probes = [probed[v.sample_id] for v in self.verdicts]
        self._decisions: dict[str, Decision] = {}
        self._stamp: tuple[int, int] | None = None
        self._codes = np.zeros(len(self.verdicts), np.int64)
        self._place = {v.sample_id: i for i, v in enumerate(self.verdicts)}
        self._judged = {v.sample_id: v for v in self.verdicts}
        self._seen: set[str] = set()  # rows whose verdict was shown, so that no decision on them is blind
        rows = Rows(
            {
                "request": [s.request for s in self.samples],
                "judge": [v.verdict or "unjudged" for v in self.verdicts],
                "confidence": np.array([v.confidence for v in self.verdicts], float),
                "decided": [NOT_REVIEWED] * len(self.verdicts),
                "error": list(map(error_in_words, self.probes, self.samples)),
                "kind": [s.kind or "–" for s in self.samples],
                "tool": [tools_of(s.label) for s in self.samples],
                "tags": tags_of(run, self.samples),
            },
            facets=("judge", "decided", "error", "kind", "tool", "tags"),
            text=self._text,
        )
        rows.recode("decided", self._codes, _DECIDED)
        # The list stands beside the sample, which tells the rest.
        widths = dict.fromkeys(rows.names, 0) | {"request": 3.0, "judge": "9.8em", "decided": "9.8em"}
        about: dict[str, Any] = {"uncounted": ("decided",), "sort": "confidence", "missing": missing}
        choices = [[name, *review.MEANINGS[name]] for name in VERDICTS]
        super().__init__(rows, run, self.samples, j, widths=widths, choices=choices, iteration=j, **about)
        self._reread()
        self.cursor = 0

    # ------------------------------------------------------------- values

    @property
    def decisions(self) -> dict[str, Decision]:
        """The decisions in force on these rows, by sample id, oldest first."""
        self._reread()
        return dict(self._decisions)

    @property
    def kappa(self) -> Kappa:
        """Cohen's kappa between person and judge (see `review.agreement`)."""
        self._reread()
        return review.agreement(self._decisions, self._judged)

    @property
    def selection(self) -> Samples:
        """The samples of the rows shown, in that order."""
        return Samples(self.samples[i] for i in self.order)

    # --------------------------------------------------- what the page asks

    def on_detail(self, at: int) -> dict[str, Any]:
        """Everything about the row at this place of the order shown."""
        self._reread()
        if not len(self.order):
            return {"id": None}
        i = int(self.order[min(at, len(self.order) - 1)])
        sample, probe, verdict = self.samples[i], self.probes[i], self.verdicts[i]
        if not self._hidden(i):
            self._seen.add(sample.id)
        decision = self._decisions.get(sample.id)
        return {
            "id": sample.id,
            "detail": detail(sample, probe, None if self._hidden(i) else verdict),
            "text": self._label_text(sample.id),
            "decision": as_shown(decision) if decision else None,
        }

    def on_decide(self, id: str, verdict: str, note: str = "") -> dict[str, Any]:
        """Decide on a row, and select the next row not reviewed.

        LABEL_WRONG replaces the label with the prediction.
        """
        i = self._at(id)
        if verdict not in VERDICTS:
            raise ValueError(f"there is no verdict {verdict!r}; there are: {', '.join(VERDICTS)}")
        if self._is_unsaved(id):
            raise ValueError(UNSAVED)
        label = None
        if verdict == "LABEL_WRONG":
            try:
                label = self._standing(i)
            except ValueError as error:
                raise ValueError(f"{error}. Edit the label instead (e), or decide otherwise.") from None
        return self._decide(i, verdict, label, note)

    def on_label(self, id: str, text: str, note: str = "") -> dict[str, Any]:
        """Decide LABEL_WRONG with a label that the person wrote (see `labels.read_label`)."""
        i = self._at(id)
        return self._decide(i, "LABEL_WRONG", read_label(text, self.samples[i]), note)

    def on_note(self, id: str, note: str) -> dict[str, Any]:
        """Change the reason of a decision, or keep the note for one."""
        decision = self._in_force().get(self.samples[self._at(id)].id)
        if decision is None:
            self.notes = {**self.notes, id: note}
            return {"message": "The note goes with the verdict on this row."}
        if note != decision.reason:
            self._record(self._decided(id, decision.value, note, decision.iteration))
            self.notes = review.without(self.notes, id)
        return {"message": "Note saved with the decision."}

    def on_restore(self, drafts: dict[str, str], notes: dict[str, str]) -> dict[str, Any]:
        """Take labels and notes that a page had kept."""
        return restore_texts(self, {"drafts": drafts, "notes": notes}, self._place, is_text)

    def on_undo(self) -> dict[str, Any]:
        """Take back the last decision, or all rows accepted with it."""
        decisions = self._in_force()
        if not decisions:
            return {"message": "Nothing is decided, so there is nothing to undo."}
        last = next(reversed(decisions.values()))
        rows = review.accepted_with(last, decisions)
        its = self.samples[self._at(last.row)]
        undone = dict.fromkeys(rows or [last.row], "undo")
        self.run.decide_all("verdict", undone, author=self.annotator, iteration=last.iteration)
        self._reread(go_to=None if rows else self._at(last.row))
        if not rows and last.row not in self._decisions:  # another verdict may follow for the same reason
            self.notes = {**self.notes, last.row: last.reason}
            if (label := label_of(last)) and not self._stands(self._at(last.row), label):
                self.drafts = {**self.drafts, last.row: label_text(label)}  # a person wrote it
        return {
            "message": (
                f"Undone: {len(rows):,} rows accepted together."
                if rows
                else f"Undone: {verdict_of(last)} on {review.named(its)} (by {last.author})."
            )
        }

    def on_skip(self) -> dict[str, Any]:
        """Select the next row that is not reviewed."""
        self._reread()
        following = review.next_open(self.order, self._codes, self.row)
        if following is None or following == self.row:
            return {"message": "No other row of this filter is left to review."}
        self.cursor = int(np.flatnonzero(self.order == following)[0])
        return {}

    def on_bulk(self) -> dict[str, Any]:
        """What accepting the judge's verdicts would decide.

        Returns `count` rows, `of` each verdict so many, and `rest`: rows that stay without a review.
        """
        rows = self._acceptable()
        verdicts = [self.verdicts[i].verdict for i in rows]
        rest = int(np.count_nonzero(self._codes[self.order] == 0)) - len(rows)
        of = {v: verdicts.count(v) for v in VERDICTS if v in verdicts}
        return {"count": len(rows), "of": of, "rest": rest}

    def on_accept(self, count: int) -> dict[str, Any]:
        """Accept the judge's verdict for every judged, unreviewed row of the filter.

        Args:
            count: the number of rows that the person confirmed.
        """
        rows = self._acceptable()
        if len(rows) != count:
            raise ValueError(f"there are {len(rows):,} such rows now, not {count:,}: look and confirm again")
        together = uuid.uuid4().hex[:12]
        values: dict[str, Any] = {}
        for i in rows:
            verdict = self.verdicts[i]
            values[verdict.sample_id] = as_value(
                verdict.verdict or "",
                self._standing(i) if verdict.verdict == "LABEL_WRONG" else None,
                together,
            )
        if values:
            self.run.decide_all("verdict", values, author=self.annotator, iteration=self.iteration)
        self._reread()
        return {
            "message": f"Accepted the judge's verdict for {len(rows):,} rows. Undo takes them back together."
        }

    # -------------------------------------------------------------- within

    def _decide(self, i: int, verdict: str, label: Label | None, note: str) -> dict[str, Any]:
        self._in_force()
        id, onwards = self.samples[i].id, review.next_open(self.order, self._codes, i)
        value = as_value(verdict, label, blind=self._hidden(i) and id not in self._seen)
        decision = self._decided(id, value, note.strip(), self.iteration)
        self.notes, self.drafts = review.without(self.notes, id), review.without(self.drafts, id)
        self._record(decision, go_to=i if onwards is None else onwards)
        return {
            "message": (
                f"{verdict} on {review.named(self.samples[i])}."
                f"{' That was the last row of this filter to review.' if onwards is None else ''}"
            )
        }

    def _decided(self, id: str, value: Any, note: str, iteration: int | None) -> Decision:
        return self.run.decide("verdict", id, value, note, self.annotator, iteration)

    def _record(self, decision: Decision, go_to: int | None = None) -> None:
        # Reading all decisions again would cost more with each one made.
        self._decisions.pop(decision.row, None)
        self._decisions[decision.row] = decision
        self._codes[self._place[decision.row]] = _DECIDED.index(verdict_of(decision))
        self._stamp = written_at(self.run)
        self._refresh(go_to)

    def _in_force(self) -> dict[str, Decision]:
        if self.run.read_only:
            raise RunError(self.blocked)
        self._reread()
        return self._decisions

    def _at(self, id: str) -> int:
        if id not in self._place:
            raise ValueError(f"no row {id!r} in this queue")
        return self._place[id]

    def _acceptable(self) -> list[int]:
        if self.blind:
            raise ValueError(review.BLIND)
        self._in_force()
        rows = [i for i in map(int, self.order) if self._codes[i] == 0]
        judged = [i for i in rows if self.verdicts[i].verdict and not self._is_unsaved(self.samples[i].id)]
        return [i for i in judged if self.verdicts[i].verdict != "LABEL_WRONG" or self._stands(i)]

    def _label_text(self, id: str) -> str:
        return label_text(label_of(self._decisions.get(id)) or self.samples[self._place[id]].label)

    def _is_unsaved(self, id: str) -> bool:
        return is_unsaved(self.drafts, id, self._label_text(id))

    def _standing(self, i: int) -> Label:
        return review.standing(self.verdicts[i], self.probes[i], self.samples[i])

    def _stands(self, i: int, label: Label | None = None) -> bool:
        return review.stands(self.verdicts[i], self.probes[i], self.samples[i], label)

    def _reread(self, go_to: int | None = None) -> None:
        """Read the decisions again where another view or cell has decided."""
        stamp = written_at(self.run)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        decisions = self.run.decisions("verdict", self.iteration)
        self._decisions = {
            row: d for row, d in decisions.items() if row in self._place and verdict_of(d) in VERDICTS
        }
        self._codes = np.zeros(len(self.verdicts), np.int64)
        for row, decision in self._decisions.items():
            self._codes[self._place[row]] = _DECIDED.index(verdict_of(decision))
        self._refresh(go_to)

    def _refresh(self, go_to: int | None) -> None:
        self.rows.recode("decided", self._codes, _DECIDED)
        with self.hold_sync():
            self.arrange()
            at = np.flatnonzero(self.order == go_to)
            if len(at):
                self.cursor = int(at[0])
            self.progress = review.progress(self._decisions, self._judged)

    def _hidden(self, i: int) -> bool:
        """Whether the judge's verdict on row i is hidden from the person."""
        return self.blind and self._codes[i] == 0

    @traitlets.observe("blind")
    def _blinded(self, _: Any) -> None:
        with self.hold_sync():
            self.set_trait("filters", review.without(self.filters, "judge"))
            self.arrange()

    @property
    def closed(self) -> dict[str, str]:
        return {"judge": review.BLIND} if self.blind else {}

    @property
    def kept(self) -> np.ndarray | None:
        # A filter by what is hidden would tell it.
        return self._codes != 0 if self.blind and self.filters.get("judge") else None

    def on_page(self, start: int, count: int) -> dict[str, Any]:
        """Answer with rows in their order, without a hidden verdict."""
        page = super().on_page(start, count)
        for at, cells in enumerate(page["rows"], page["start"]):
            self._say(cells, int(self.order[at]))
        return page

    def cells(self, i: int) -> list[str]:
        cells = super().cells(i)
        self._say(cells, i)
        return cells

    def _say(self, cells: list[str], i: int) -> None:
        judge, confidence = map(self.rows.names.index, ("judge", "confidence"))
        verdict = self.verdicts[i]
        cells[confidence] = f"{verdict.confidence:.2f}" if verdict.verdict else "–"
        if self._hidden(i):
            cells[judge] = cells[confidence] = "hidden"

    def _text(self, i: int) -> str:
        sample = self.samples[i]
        texts = (sample.id, sample.request, render_answer(sample.label), self.probes[i].text)
        return "\n".join((*texts, self.verdicts[i].rationale, self.rows.full("tags", i)))

    def static_html(self) -> str:
        if self.missing:
            return table_html((), (), self.missing)
        rows = []
        for i in map(int, self.order[:_STATIC_ROWS]):
            cells = [self.rows.cell(name, i) for name in self.rows.names]
            self._say(cells, i)
            said = dict(zip(self.rows.names, cells, strict=True))
            why = "" if self._hidden(i) else self.verdicts[i].rationale[:300]
            rows.append([*(said[name] for name in _STATIC_COLUMNS), why])
        caption = (
            f"Disagreements of iteration {self.iteration}: {len(rows)} of {self.total:,} rows; reviewed"
            f" {self.progress['reviewed']:,}, left {self.progress['left']:,}"
        )
        return table_html([*_STATIC_COLUMNS, "rationale"], rows, caption, wide=("request", "rationale"))
