"""The probes of a policy.

Perplexity histogram with threshold and range, table, and sample.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import traitlets

from looptool_kit.core.preview import table_html
from looptool_kit.core.records import STATES, Frontier, Measured, Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.drawing import NEAR_ONE, histogram, picture
from looptool_kit.lineage.error_seeds import with_decisions
from looptool_kit.run.folder import Run
from looptool_kit.widgets.detail import detail
from looptool_kit.widgets.labels import tools_of
from looptool_kit.widgets.rows import Rows
from looptool_kit.widgets.selection import SampleTable, tags_of
from looptool_kit.widgets.view import error_in_words, script, stage_of, style

FACETS = ("state", "iteration", "kind", "tool", "error", "frontier", "tags")
STATIC_ROWS = 10
"""Rows in a notebook without a kernel."""


WIDTHS: dict[str, str | float] = {
    "request": 3,
    "state": "6.6em",
    "perplexity": "8.6em",
    "iteration": 0,
    "kind": 0,
    "tool": "9em",
    "error": "9.5em",
    "frontier": 0,
    "pass rate": 0,
    "tags": 0,
}
"""The table's columns: a length, or a share of what is left; 0: shown when it is asked for."""


class ProbeView(SampleTable):
    """Probes under greedy decoding (GCP, LoopTool section 3.3).

    Made as `ProbeView(run)`, `ProbeView(run, iteration=2)` or `ProbeView(probes, samples)`.

    Of a run, all probed iterations are there and the newest (or the one asked for) is shown; the filter
    `iteration` shows others. Read back what a person chose: `threshold`, `brush`, `filters`, `search`,
    `sort`, and `selection`, the samples behind the rows shown. If the run is open for writing, a threshold
    that the person sets on the page is a decision on the iteration shown. One set from Python is not.
    """

    _esm = script("sample", "table_head", "table", "drafts", "keep", "probe_chart", "probe")
    _css = style()

    threshold = traitlets.Float(1.0).tag(sync=True)
    """Perplexity above which a correct answer is borderline."""
    brush: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """Lowest and highest perplexity shown, both included; empty: all."""
    can_undo = traitlets.Bool(False, help="whether a threshold that a person chose is in force").tag(
        sync=True
    )

    def __init__(
        self,
        run: Run | Probes,
        samples: Samples | None = None,
        iteration: int | None = None,
        only: Collection[str] | None = None,
    ) -> None:
        """Show probes.

        Args:
            run: a run, or a table of probes.
            samples: those that were probed; only without a run.
            iteration: the one to show first; None: the newest.
            only: ids of the samples to show; None: all.

        Where there are no probes yet, or none in that iteration, the view is empty and says so.

        Raises:
            ValueError: the sample of a probe is not among the samples.
        """
        self._run = run if isinstance(run, Run) else None
        missing = ""
        if isinstance(run, Run):
            iteration, missing = stage_of(run, "probes", iteration)
            tables = [] if missing else _tables(run)
        else:
            tables = [(run, samples or Samples(), Verdicts())]
        if only is not None:
            tables = [(t.where(lambda p: p.sample_id in only), its, v) for t, its, v in tables]
        self._probes: list[Probe] = [p for probes, _, _ in tables for p in probes]
        self._samples = [s for probes, its, _ in tables for s in _matched(probes, its)]
        self._verdicts: dict[tuple[int, str], Verdict] = {
            (v.iteration, v.sample_id): v for _, _, verdicts in tables for v in verdicts
        }
        measured = _measured(self._run) if self._run else {}
        self._measured = [measured.get((p.iteration, p.sample_id)) for p in self._probes]
        n = len(self._probes)
        self._perplexity = np.fromiter(map(attrgetter("perplexity"), self._probes), float, n)
        self._correct = np.fromiter(map(attrgetter("correct"), self._probes), bool, n)
        self._iterations = np.fromiter(map(attrgetter("iteration"), self._probes), int, n)
        self._iteration = shown = iteration or int(self._iterations.max(initial=0))
        self._recorded = self._recorded_threshold(shown)
        chosen = self._chosen()
        threshold = self._recorded if chosen is None else chosen
        self._states = self._states_at(threshold)
        several = len(np.unique(self._iterations)) > 1
        super().__init__(
            self._rows(),
            self._run,
            self._samples,
            shown,
            widths=WIDTHS,
            uncounted=("state",),
            threshold=threshold,
            filters={"iteration": str(shown)} if several and self._run else {},
            lasting=("iteration",),
            missing=missing,
            can_undo=chosen is not None,
        )

    @property
    def selection(self) -> Samples:
        """The samples behind the rows shown, in that order, each once.

        Filters, search and brush are applied.
        """
        rows = {self._samples[i].id: self._samples[i] for i in self.order}
        return Samples(rows.values())

    @property
    def states(self) -> dict[str, int]:
        """The count of each state at the threshold.

        It is of the rows that pass filters and search.
        """
        return dict(
            zip(STATES, map(int, np.bincount(self._states[self._filtered()], minlength=3)), strict=True)
        )

    # ------------------------------------------------------- asked by the page

    def on_chart(self, width: int = 0) -> dict[str, Any]:
        """Answer with the histogram, and the count of each state.

        As wide as the page says. They are of the rows that pass filters and search.
        """
        return {"svg": self._chart(width), "states": self.states, "version": self.version}

    def on_sample(self, at: int) -> dict[str, Any]:
        """The row at place `at` of the order shown, in full."""
        # The page names the place: its question can arrive before the cursor that it set.
        if not 0 <= int(at) < len(self.order):
            return {"sample": None}
        row = self.order[int(at)]
        probe = self._probes[row]
        verdict = self._verdicts.get((probe.iteration, probe.sample_id))
        return {"sample": detail(self._samples[row], probe, verdict) | {"state": STATES[self._states[row]]}}

    def on_threshold(self, value: float, keep: bool = False) -> dict[str, Any]:
        """Set the threshold; with `keep`, record it as the person's decision."""
        self.threshold = float(value)
        if not keep:
            return {}
        if self._run is None or self._run.read_only:
            return {
                "message": (
                    f"threshold {self.threshold:.4f}, in this view only"
                    f"{': the run is open read-only' if self._run else ''}"
                )
            }
        if self._chosen() != self.threshold:
            self._run.decide("threshold", "", self.threshold, "", self.annotator, self._iteration)
        self.can_undo = True
        return {
            "message": (
                f"threshold {self.threshold:.4f} is saved for iteration {self._iteration}; the next probe,"
                " and with it compose, uses it"
            )
        }

    def on_undo(self) -> dict[str, Any]:
        """Take back the person's last threshold."""
        if self._run is None or self._run.read_only or self._chosen() is None:
            return {"message": "there is nothing to undo"}
        self._run.decide("threshold", "", "undo", "", self.annotator, self._iteration)
        chosen = self._chosen()
        self.threshold, self.can_undo = self._recorded if chosen is None else chosen, chosen is not None
        return {"message": f"back to the threshold {self.threshold:.4f}"}

    def static_html(self) -> str:
        if self.missing:
            return table_html((), (), self.missing)
        columns = [c for c in self.rows.names if c not in ("iteration", "tags")]
        rows = [[self.rows.cell(c, i) for c in columns] for i in self.order[:STATIC_ROWS]]
        counts = ", ".join(f"{n:,} {state}" for state, n in self.states.items())
        caption = f"{counts} at threshold {self.threshold:.4f}; {len(rows)} of {len(self.order):,} rows"
        return picture(self._chart(still=True)) + table_html(columns, rows, caption, wide=("request",))

    # -------------------------------------------------------------- rows

    @property
    def kept(self) -> np.ndarray | None:
        if not self.brush:
            return None
        low, high = self.brush
        return (self._perplexity >= low) & (self._perplexity <= high)

    def _filtered(self) -> np.ndarray:
        return self.rows.order("", self.filters, self.search) if self.brush else self.order

    def _rows(self) -> Rows:
        probes, samples = self._probes, self._samples
        # The fast ways first: 100,000 rows are read here before anything is shown.
        requests = [
            m[-1].content if (m := s.messages) and m[-1].role == "user" else s.request for s in samples
        ]
        columns: dict[str, Any] = {
            "request": requests,
            "state": self._states,
            "perplexity": self._perplexity,
            "iteration": self._iterations,
            "kind": [s.kind or "–" for s in samples],
            "tool": [
                (c[0].name if len(c) == 1 else tools_of(s.label)) if (c := s.label.calls) else "(plain reply)"
                for s in samples
            ],
            "error": [error_in_words(p, s) or "–" for p, s in zip(probes, samples, strict=True)],
        }
        if any(self._measured):
            columns["frontier"] = [_frontier(m) for m in self._measured]
            columns["pass rate"] = [f"{m.pass_rate:.2f}" if m else "–" for m in self._measured]
        if self._run:
            columns["tags"] = tags_of(self._run, samples)
        if len(np.unique(self._iterations)) < 2:
            del columns["iteration"]

        def tags(i: int) -> str:
            return self.rows.full("tags", i) if self._run else ""

        rows = Rows(
            columns,
            [f for f in FACETS if f in columns],
            lambda i: f"{probes[i].sample_id}\n{requests[i]}\n{probes[i].text}\n{tags(i)}",
        )
        rows.recode("state", self._states, STATES)
        return rows

    def _states_at(self, threshold: float) -> np.ndarray:
        return np.where(self._correct, np.where(self._perplexity > threshold, 1, 0), 2)

    def _chosen(self) -> float | None:
        decision = self._run.decisions("threshold", self._iteration).get("") if self._run else None
        return float(str(decision.value)) if decision else None

    def _recorded_threshold(self, iteration: int) -> float:
        recorded = (self._run.manifest("probes", iteration) or {}).get("threshold") if self._run else None
        if recorded is None:
            mastered = [p.perplexity for p in self._probes if p.state == "mastered"]
            recorded = max(mastered) if mastered else self._perplexity.max(initial=1.0)
        return float(recorded) if math.isfinite(recorded) else 1.0

    @traitlets.validate("threshold")
    def _perplexity_only(self, proposal: Any) -> float:
        if not (math.isfinite(proposal["value"]) and proposal["value"] >= 1):
            raise traitlets.TraitError(f"a perplexity is a number from 1 up, not {proposal['value']}")
        return proposal["value"]

    @traitlets.validate("brush")
    def _range_only(self, proposal: Any) -> list[float]:
        if not proposal["value"]:
            return []
        low, high = sorted(float(v) for v in proposal["value"])
        if len(self._perplexity):
            # Nothing lies beyond the outermost answers; for "and above" the page sends a huge number.
            low, high = max(low, float(self._perplexity.min())), min(high, float(self._perplexity.max()))
        return [low, high]

    @traitlets.observe("threshold")
    def _rethreshold(self, _: Any) -> None:
        self._states = self._states_at(self.threshold)
        self.rows.recode("state", self._states, STATES)
        self.arrange()

    @traitlets.observe("brush")
    def _brushed(self, _: Any) -> None:
        self.arrange()

    # ------------------------------------------------------------- chart

    def _bins(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Bins of equal width in log(perplexity - NEAR_ONE): their edges, and the bin of each row.

        The last bin holds whatever lies beyond: one extreme answer must not push all others into one bin.
        """
        above = np.maximum(self._perplexity[rows], 1.0) - NEAR_ONE
        logs = np.nan_to_num(np.log(above), nan=0.0, posinf=700.0)
        low, high = (float(logs.min()), float(logs.max())) if len(logs) else (0.0, 1.0)
        # Only where the outermost 0.5% would take more than half of the axis.
        if len(logs) and high - low > 2 * (far := float(np.quantile(logs, 0.995)) - low) > 0:
            high = low + far
        high = max(high, low + 0.01)  # all alike: a width that can be divided
        count = int(np.clip(2 * math.sqrt(len(logs)), 12, 60))
        edges = NEAR_ONE + np.exp(np.linspace(low, high, count + 1))
        return edges, np.clip(((logs - low) / (high - low) * count).astype(int), 0, count - 1)

    def _chart(self, width: int = 0, still: bool = False) -> str:
        rows = self._filtered()
        edges, bin_of = self._bins(rows)
        bins = len(edges) - 1
        cells = np.bincount(bin_of * 3 + self._states[rows], minlength=bins * 3).reshape(bins, 3)
        counts = {state: cells[:, k].tolist() for k, state in enumerate(STATES)}
        title, wide = "samples by perplexity and state", int(np.clip(width or 960, 320, 2000))
        line = self.threshold if still else None
        return histogram(edges.tolist(), counts, title, "perplexity", wide, origin=NEAR_ONE, threshold=line)


def _tables(run: Run) -> list[tuple[Probes, Samples, Verdicts]]:
    probed = [j for j in run.iterations if run.manifest("probes", j)]
    out = []
    for j in probed:
        verdicts = run.table(Verdicts, "verdicts", j) if run.manifest("verdicts", j) else Verdicts()
        out.append(
            (
                run.table(Probes, "probes", j),
                run.table(Samples, "samples", j),
                with_decisions(verdicts, run.decisions("verdict", j)),
            )
        )
    return out


def _measured(run: Run) -> dict[tuple[int, str], Measured]:
    """What the stage frontier found, by iteration and sample."""
    return {
        (j, row.sample_id): row
        for j in run.iterations
        for row in run.table(Frontier, "frontier", j, missing_ok=True)
    }


def _frontier(measured: Measured | None) -> tuple[str, ...]:
    """The values of the facet `frontier`."""
    if measured is None:
        return ("–",)
    return (measured.place, "inconsistent") if measured.inconsistent else (measured.place,)


def _matched(probes: Sequence[Probe], samples: Samples) -> list[Sample]:
    if [p.sample_id for p in probes] == [s.id for s in samples]:  # as the stage writes them
        return list(samples)
    rows = samples.by_id()
    try:
        return [rows[p.sample_id] for p in probes]
    except KeyError as missing:
        raise ValueError(
            f"there is a probe of sample {missing}, which is not among the samples given"
        ) from None
