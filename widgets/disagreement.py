"""The review desk for JGLV (LoopTool, section 3.4): a person goes through the judge's verdicts and has the
last word.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection
from typing import Any

import numpy as np
import traitlets

from looptool_kit.core.records import Probes, Verdicts
from looptool_kit.core.samples import Label, Samples
from looptool_kit.core.stats import Kappa, cohen_kappa
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.run.folder import Decision, Run, RunError
from looptool_kit.widgets.detail import answer, detail
from looptool_kit.widgets.labels import checked, label_text, predicted_label, read_label
from looptool_kit.widgets.rows import Rows, TableView
from looptool_kit.widgets.view import html_table, script, style

VERDICTS = ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG")
NOT_REVIEWED = "not reviewed"
_DECIDED = (NOT_REVIEWED, *VERDICTS)
_STATIC_ROWS = 40


class DisagreementView(TableView):
    """The queue of an iteration's verdicts, thinnest first, one sample at a time with all that the judge
    weighed.

    What a person decides is in `decisions.jsonl` at once and takes effect at the next expand and compose.
    Python values: `decisions`, `kappa`, `progress`, `selection`. Raises `RunError` where no iteration (or not
    this one) has verdicts.
    """

    _esm = script("sample", "table", "disagreement")
    _css = style()

    drafts = traitlets.Dict().tag(sync=True)
    """Sample id -> text of a label that is being edited."""
    notes = traitlets.Dict().tag(sync=True)
    """Sample id -> note that no verdict has taken up yet."""
    progress = traitlets.Dict(help="reviewed, left, and how person and judge agree: n, observed, kappa").tag(
        sync=True
    )
    iteration = traitlets.Int(help="of the verdicts").tag(sync=True)
    blocked = traitlets.Unicode(help="why nothing can be decided, empty where it can").tag(sync=True)

    def __init__(self, run: Run, iteration: int | None = None, only: Collection[str] | None = None) -> None:
        """`only`: ids of the samples to show."""
        judged = [j for j in run.iterations if (run.folder(j) / "verdicts.parquet").exists()]
        if iteration is None and not judged:
            raise RunError(
                f"no iteration of {run.path} has verdicts yet: run the stage verify first (`looptool verify"
                f" {run.path}`)."
            )
        self.run, j = run, iteration or judged[-1]
        self.verdicts = run.table(Verdicts, "verdicts", j).where(
            lambda v: only is None or v.sample_id in only
        )
        by_id, probed = (
            run.table(Samples, "samples", j).by_id(),
            {p.sample_id: p for p in run.table(Probes, "probes", j)},
        )
        self.samples = [by_id[v.sample_id] for v in self.verdicts]
        self.probes = [probed[v.sample_id] for v in self.verdicts]
        self._decisions: dict[str, Decision] = {}
        self._stamp: tuple[int, int] | None = None
        self._codes = np.zeros(len(self.verdicts), np.int64)
        self._place = {v.sample_id: i for i, v in enumerate(self.verdicts)}
        rows = Rows(
            {
                "judge": [v.verdict or "unjudged" for v in self.verdicts],
                "confidence": np.array([v.confidence for v in self.verdicts], float),
                "decided": [NOT_REVIEWED] * len(self.verdicts),
                "error": [p.error for p in self.probes],
                "kind": [s.kind for s in self.samples],
                "tool": [tuple(dict.fromkeys(c.name for c in s.label.calls)) for s in self.samples],
                "request": [s.request for s in self.samples],
            },
            facets=("judge", "decided", "error", "kind", "tool"),
            text=self._text,
        )
        rows.recode("decided", self._codes, _DECIDED)
        widths = {"confidence": 0.7, "kind": 0.7, "request": 3.0}
        blocked = (
            f"This run was opened to look at only. To decide, open it with Run.open({str(run.path)!r})."
            if run.read_only
            else ""
        )
        super().__init__(
            rows, widths, uncounted=("decided",), sort="confidence", iteration=j, blocked=blocked
        )
        self._reread()
        self.cursor = 0

    # ------------------------------------------------------------- values

    @property
    def decisions(self) -> dict[str, Decision]:
        """The decisions in force on rows of this queue, by sample id, in the order in which they were made."""
        self._reread()
        return dict(self._decisions)

    @property
    def kappa(self) -> Kappa:
        """Cohen's kappa between the person's verdicts and the judge's, over the rows that both have judged."""
        self._reread()
        both = [
            (_DECIDED[code], v.verdict)
            for code, v in zip(self._codes.tolist(), self.verdicts, strict=True)
            if code and v.verdict
        ]
        return cohen_kappa([person for person, _ in both], [judge for _, judge in both])

    @property
    def selection(self) -> Samples:
        """The samples of the rows shown, in their order, as they stand in the dataset."""
        return Samples(self.samples[i] for i in self.order)

    # --------------------------------------------------- what the page asks

    def on_detail(self, at: int) -> dict[str, Any]:
        """Everything about the row at this place of the order shown."""
        self._reread()
        if not len(self.order):
            return {"id": None}
        i = int(self.order[min(at, len(self.order) - 1)])
        sample, probe, verdict = self.samples[i], self.probes[i], self.verdicts[i]
        decision = self._decisions.get(sample.id)
        return {
            "id": sample.id,
            "detail": detail(sample, probe, verdict),
            "text": label_text(_label(decision) or sample.label),
            "decision": decision and {
                "verdict": _verdict(decision), "author": decision.author, "time": decision.time, "reason": decision.reason,
                "label": answer(label) if (label := _label(decision)) else None,
            },
        }  # fmt: skip

    def on_decide(self, id: str, verdict: str, note: str = "") -> dict[str, Any]:
        """Decide on a row, and go on to the next one that is not reviewed. LABEL_WRONG puts the prediction in
        the label's place.
        """
        i = self._at(id)
        if verdict not in VERDICTS:
            raise ValueError(f"there is no verdict {verdict!r}; there are: {', '.join(VERDICTS)}")
        label = None
        if verdict == "LABEL_WRONG":
            try:
                label = self._standing(i)
            except ValueError as error:
                raise ValueError(f"{error}. Edit the label instead (e), or decide otherwise.") from None
        return self._decide(i, verdict, label, note)

    def on_label(self, id: str, text: str, note: str = "") -> dict[str, Any]:
        """Decide LABEL_WRONG with the label that the person wrote (see `labels.read_label`)."""
        i = self._at(id)
        return self._decide(i, "LABEL_WRONG", read_label(text, self.samples[i]), note)

    def on_note(self, id: str, note: str) -> dict[str, Any]:
        """Give the decision on a row another reason; on a row not decided yet the note waits for the verdict."""
        decision = self._in_force().get(self.samples[self._at(id)].id)
        if decision is None:
            self.notes = {**self.notes, id: note}
            return {"said": "The note goes with the verdict on this row."}
        if note != decision.reason:
            self._record(self.run.decide("verdict", id, decision.value, note, iteration=decision.iteration))
            self.notes = _without(self.notes, id)
        return {"said": "Note saved with the decision."}

    def on_undo(self) -> dict[str, Any]:
        """Take back the last decision in force in this queue; rows accepted together go back together."""
        decisions = self._in_force()
        if not decisions:
            return {"said": "Nothing is decided, so there is nothing to undo."}
        last = next(reversed(decisions.values()))
        together = last.value.get("together") if isinstance(last.value, dict) else None
        rows = [
            row
            for row, d in decisions.items()
            if together and isinstance(d.value, dict) and d.value.get("together") == together
        ]
        self.run.decide_all("verdict", dict.fromkeys(rows or [last.row], "undo"), iteration=last.iteration)
        self._reread(go_to=None if rows else self._at(last.row))
        return {
            "said": (
                f"Undone: {len(rows):,} rows accepted together."
                if rows
                else f"Undone: {_verdict(last)} on {last.row} (by {last.author})."
            )
        }

    def on_skip(self) -> dict[str, Any]:
        """Go on to the next row that is not reviewed."""
        self._reread()
        found = self._next(self.row)
        if found is None or found == self.row:
            return {"said": "No other row of this filter is left to review."}
        self.cursor = int(np.flatnonzero(self.order == found)[0])
        return {}

    def on_bulk(self) -> dict[str, Any]:
        """What accepting the judge's verdicts would decide: `count` rows, `of` each verdict; `rest`: rows not
        reviewed that it leaves as they are.
        """
        rows = self._acceptable()
        verdicts = [self.verdicts[i].verdict for i in rows]
        rest = int(np.count_nonzero(self._codes[self.order] == 0)) - len(rows)
        return {
            "count": len(rows),
            "of": {v: verdicts.count(v) for v in VERDICTS if v in verdicts},
            "rest": rest,
        }

    def on_accept(self, count: int) -> dict[str, Any]:
        """Accept the judge's verdict for every row of the filter that is judged and not reviewed; `count` is
        what the person confirmed.
        """
        rows = self._acceptable()
        if len(rows) != count:
            raise ValueError(
                f"there are {len(rows):,} such rows now, not {count:,}: look again and confirm anew"
            )
        together = uuid.uuid4().hex[:12]
        values: dict[str, Any] = {}
        for i in rows:
            verdict = self.verdicts[i]
            values[verdict.sample_id] = _value(
                verdict.verdict or "",
                self._standing(i) if verdict.verdict == "LABEL_WRONG" else None,
                together,
            )
        if values:
            self.run.decide_all("verdict", values, iteration=self.iteration)
        self._reread()
        return {
            "said": f"Accepted the judge's verdict for {len(rows):,} rows. Undo takes them back together."
        }

    # -------------------------------------------------------------- within

    def _decide(self, i: int, verdict: str, label: Label | None, note: str) -> dict[str, Any]:
        self._in_force()
        id, onwards = self.samples[i].id, self._next(i)
        decision = self.run.decide(
            "verdict", id, _value(verdict, label), note.strip(), iteration=self.iteration
        )
        self.notes, self.drafts = _without(self.notes, id), _without(self.drafts, id)
        self._record(decision, go_to=i if onwards is None else onwards)
        return {
            "said": (
                f"{verdict} on"
                f" {id}.{' That was the last row of this filter to review.' if onwards is None else ''}"
            )
        }

    def _record(self, decision: Decision, go_to: int | None = None) -> None:
        # Reading all decisions again would cost more with each one made.
        self._decisions.pop(decision.row, None)
        self._decisions[decision.row] = decision
        self._codes[self._place[decision.row]] = _DECIDED.index(_verdict(decision))
        self._stamp = self._on_disk()
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

    def _next(self, i: int | None) -> int | None:
        """The first row after row i, in the order shown and round again, that is not reviewed."""
        at = np.flatnonzero(self.order == i)
        turned = np.roll(self.order, -int(at[0]) - 1) if len(at) else self.order
        left = turned[self._codes[turned] == 0]
        left = left[left != i]
        return int(left[0]) if len(left) else None

    def _acceptable(self) -> list[int]:
        self._in_force()
        out = []
        for i in map(int, self.order):
            if self._codes[i] == 0 and self.verdicts[i].verdict:
                try:
                    if self.verdicts[i].verdict == "LABEL_WRONG":
                        self._standing(i)
                    out.append(i)
                except ValueError:
                    continue
        return out

    def _standing(self, i: int) -> Label:
        """The label after LABEL_WRONG: the judge's where it said so, else the prediction. Raises `ValueError`
        where that cannot be a label.
        """
        verdict = self.verdicts[i]
        label = (
            verdict.label
            if verdict.verdict == "LABEL_WRONG" and verdict.label
            else predicted_label(self.probes[i].answer)
        )
        return checked(label, self.samples[i])

    def _on_disk(self) -> tuple[int, int]:
        path = self.run.path / "decisions.jsonl"
        return (path.stat().st_mtime_ns, path.stat().st_size) if path.exists() else (0, 0)

    def _reread(self, go_to: int | None = None) -> None:
        """Take over what is on disk, if it has changed: other views and cells decide as well."""
        stamp = self._on_disk()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        found = self.run.decisions("verdict", self.iteration)
        self._decisions = {
            row: d for row, d in found.items() if row in self._place and _verdict(d) in VERDICTS
        }
        self._codes = np.zeros(len(self.verdicts), np.int64)
        for row, decision in self._decisions.items():
            self._codes[self._place[row]] = _DECIDED.index(_verdict(decision))
        self._refresh(go_to)

    def _refresh(self, go_to: int | None) -> None:
        self.rows.recode("decided", self._codes, _DECIDED)
        with self.hold_sync():
            self.arrange()
            at = np.flatnonzero(self.order == go_to)
            if len(at):
                self.cursor = int(at[0])
            agreed = self.kappa
            self.progress = {
                "reviewed": len(self._decisions),
                "left": len(self.verdicts) - len(self._decisions),
                "n": agreed.n,
                "observed": agreed.observed if agreed.n else None,
                "kappa": None if np.isnan(agreed.kappa) else agreed.kappa,
            }

    def _text(self, i: int) -> str:
        return "\n".join(
            [
                self.samples[i].id,
                self.samples[i].request,
                render_answer(self.samples[i].label),
                self.probes[i].text,
                self.verdicts[i].rationale,
            ]
        )

    def static_html(self) -> str:
        """The first rows of the queue."""
        shown = [int(i) for i in self.order[:_STATIC_ROWS]]
        rows = [
            [self.rows.cell(name, i)[:100] for name in self.rows.names] + [self.verdicts[i].rationale[:300]] for i in shown
        ]  # fmt: skip
        p = self.progress
        caption = (
            f"Disagreements of iteration {self.iteration}: {len(shown)} of {self.total:,} rows; reviewed"
            f" {p['reviewed']:,}, left {p['left']:,}"
        )
        return html_table([*self.rows.names, "rationale"], rows, caption)


def _without(texts: dict[str, str], id: str) -> dict[str, str]:
    return {k: v for k, v in texts.items() if k != id}


def _verdict(decision: Decision) -> str:
    return str(decision.value.get("verdict") if isinstance(decision.value, dict) else decision.value)


def _label(decision: Decision | None) -> Label | None:
    if decision is None or not isinstance(decision.value, dict) or "label" not in decision.value:
        return None
    return Label.model_validate(decision.value["label"])


def _value(verdict: str, label: Label | None, together: str = "") -> dict[str, Any]:
    value: dict[str, Any] = {"verdict": verdict}
    if label is not None:
        value["label"] = json.loads(label.model_dump_json())
    return value | ({"together": together} if together else {})
