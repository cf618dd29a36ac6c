"""Two policies side by side, sample by sample."""

from __future__ import annotations

import html
from typing import Any

import traitlets

from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import table_html, words
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import paired
from looptool_kit.report.side_by_side import CHANGES, Both, SideBySide, Source, compared, side_by_side
from looptool_kit.run.folder import Run
from looptool_kit.widgets.detail import detail
from looptool_kit.widgets.rows import Rows, TableView
from looptool_kit.widgets.view import script, style

FACETS = ("change", "answer", "split", "kind")
STATIC_ROWS = 10
"""Rows in a notebook without a kernel."""
WIDTHS: dict[str, str | float] = {
    "request": 1,
    "change": "7.2em",
    "split": "10.4em",
    "kind": "6.4em",
    "answer": 0,
}


class CompareView(TableView):
    """What a policy fixed and broke against another, sample by sample.

    `CompareView(run)` compares the first evaluated policy with the last one on the held-out samples,
    `CompareView(run, "D1", "D3")` two of them, `CompareView(run, "D3", other=run2)` that of another run, and
    `CompareView(run, "D1", "D2", source="probes")` what both were probed on. Read back: `selection`,
    `filters`, `search`, `sort`. On the page, and by setting `before` and `after`, other policies are chosen.
    """

    _esm = script("sample", "table_head", "table", "compare")
    _css = style()

    names: traitlets.List[Any] = traitlets.List(help="the two policies, in words").tag(sync=True)
    before = traitlets.Unicode(help="name of the first policy").tag(sync=True)
    after = traitlets.Unicode(help="name of the second policy").tag(sync=True)
    choices: traitlets.List[Any] = traitlets.List(help="what `before` may be, and what `after`").tag(
        sync=True
    )
    counts: traitlets.List[Any] = traitlets.List(help="each kind of change and its samples").tag(sync=True)
    about = traitlets.Unicode(help="the difference in a sentence").tag(sync=True)

    def __init__(
        self,
        run: Run,
        before: str = "",
        after: str = "",
        other: Run | None = None,
        source: Source = "held_out",
    ) -> None:
        """Show two policies; the arguments are those of `report.side_by_side`."""
        self._both = side_by_side(run, before, after, other, source)
        self._runs, self._source, self._failed = (run, other), source, ""
        choices = [compared(run, source), compared(other or run, source)]
        before, after = before or choices[0][0], after or choices[1][-1]
        self._shown = (before, after)
        counts = self._both.counts
        super().__init__(
            self._rows(),
            widths=WIDTHS,
            filters={"change": next(c for c in CHANGES if counts[c])},
            names=[self._both.before, self._both.after],
            before=before,
            after=after,
            choices=choices,
            counts=[list(pair) for pair in counts.items()],
            about=self._about(),
        )
        self.arrange()

    @property
    def selection(self) -> Samples:
        """The samples shown (filters and search applied), in that order."""
        return Samples(self._both.rows[i].sample for i in self.order)

    @traitlets.validate("before", "after")
    def _evaluated(self, proposal: Any) -> str:
        name, there = proposal["value"], self.choices[proposal["trait"].name == "after"]
        if name not in there:
            raise traitlets.TraitError(
                f"there is no policy {name!r} to compare; there are {', '.join(there)}"
            )
        return str(name)

    @traitlets.observe("before", "after")
    def _other_policies(self, _: Any) -> None:
        if self._shown == (self.before, self.after):
            return
        run, other = self._runs
        self._shown, self._failed = (self.before, self.after), ""
        try:
            self._both = side_by_side(run, self.before, self.after, other, self._source)
        except RunError as error:
            self._both, self._failed = SideBySide(self.before, self.after, [], 0), str(error)
        with self.hold_sync():
            self.names = [self._both.before, self._both.after]
            self.counts = [list(pair) for pair in self._both.counts.items()]
            self.about = self._failed or self._about()
            self.replace(self._rows())

    def on_sample(self, at: int) -> dict[str, Any]:
        """Answer with the row at place `at` of the order shown.

        The sample with either answer.
        """
        if not 0 <= int(at) < len(self.order):
            return {"before": None, "after": None, "change": ""}
        row = self._both.rows[self.order[int(at)]]
        return {"before": _card(row, row.before), "after": _card(row, row.after), "change": row.change}

    def static_html(self) -> str:
        # Its caption would be as narrow as the table of two columns.
        table = f"<div>{html.escape(self.about)}</div>{table_html(('change', 'samples'), self.counts)}"
        flipped = [i for i, row in enumerate(self._both.rows) if row.change in ("fixed", "broken")]
        rows = [
            (r.change, *(c[:300] for c in (r.sample.request, words(r.before.answer), words(r.after.answer))))
            for r in (self._both.rows[i] for i in flipped[:STATIC_ROWS])
        ]
        head = ("change", "request", self._both.before, self._both.after)
        caption = f"{len(rows)} of {len(flipped)} samples that changed sides"
        return table + table_html(head, rows, caption, wide=head[1:])

    def _about(self) -> str:
        both = self._both
        first, second = self._runs
        if self._shown[0] == self._shown[1] and (second is None or second.path == first.path):
            right = sum(r.after.correct for r in both.rows)
            return (
                f"{both.after} and {both.after} are the same policy, so there is no difference to test:"
                f" {right} of {len(both.rows)} samples right. Choose another policy on either side."
            )
        change = paired([r.before.correct for r in both.rows], [r.after.correct for r in both.rows])
        missing = f" {both.left_out} samples that only one was asked are left out." if both.left_out else ""
        return (
            f"{both.after} against {both.before} on {change.n} samples: {100 * change.difference:+z.1f}"
            f" points [{100 * change.lo:+z.1f}, {100 * change.hi:+z.1f}], {change.fixed} fixed,"
            f" {change.broken} broken ({_p(change.p)}).{missing}"
        )

    def _rows(self) -> Rows:
        rows = self._both.rows
        columns = {
            "request": [r.sample.request for r in rows],
            "change": [r.change for r in rows],
            "split": [r.split.replace("_", " ") or "–" for r in rows],
            "kind": [r.sample.kind or "–" for r in rows],
            "answer": ["same" if r.same_answer else "differs" for r in rows],
        }

        def text(i: int) -> str:
            row = rows[i]
            return "\n".join((row.sample.id, row.sample.request, row.before.text, row.after.text))

        return Rows(columns, FACETS, text)


def _card(row: Both, answer: Probe) -> dict[str, Any]:
    """The sample with one answer; a perplexity that was not recorded is left out."""
    card = detail(row.sample, answer)
    if not answer.tokens:
        card |= {"tokens": []}
    return card | {"state": "right" if answer.correct else "wrong"}


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
