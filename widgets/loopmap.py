"""The whole loop as a map.

Flows of samples, errors by tool and kind, and what training fixed and broke.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import traitlets
from anywidget import WidgetTrait

from looptool_kit.core.grading import told_kind
from looptool_kit.core.preview import table_html
from looptool_kit.core.records import Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.drawing import picture
from looptool_kit.lineage.error_seeds import with_decisions
from looptool_kit.lineage.fates import Fate, fates, flows, node
from looptool_kit.report.figures import error_counts
from looptool_kit.report.flow import flow_map, legend
from looptool_kit.run.folder import Run
from looptool_kit.widgets.decision import written_at
from looptool_kit.widgets.detail import detail
from looptool_kit.widgets.loop_charts import error_map, flow_table, held_out_flips
from looptool_kit.widgets.newer import newer_note
from looptool_kit.widgets.review import words_of
from looptool_kit.widgets.rows import Rows, TableView
from looptool_kit.widgets.view import View, called, how_to_make, refuse_unsaved, script, style

VIEWS = ("ProbeView", "DisagreementView", "ExpansionView")
FACETS = ("iteration", "part", "state", "verdict", "fate", "kind")
STATIC_CHARACTERS = 58_000
"""A map in a notebook without a kernel is shorter than this: it shows fewer iterations where it has to."""


class LoopMap(TableView):
    """The flow of samples over all iterations of a run.

    A sample flows D_j -> state -> verdict -> fate -> D_{j+1}.

    Python values: `selection` (the samples behind what was clicked, and the table's filters), `selected`,
    `heat`. `open_in()` gives a view of the selection. The map shows the run as it was when the view was made,
    and on the page when its tab was chosen; `refresh()`, a button on the page too, reads it again.
    """

    _esm = script("sample", "table_head", "table", "loopmap")
    _css = style()

    selected: traitlets.List[Any] = traitlets.List().tag(sync=True)
    """What was clicked: [] (everything), ["node", name], ["flow", source, target] or ["errors", iteration,
    tool, kind]; nodes as in `flows.node`.
    """
    heat = traitlets.Int(0).tag(sync=True)
    """The iteration whose errors the heat map shows; 0 where none was probed."""
    against = traitlets.Bool(False).tag(sync=True)
    """Show the difference to the iteration before in the heat map."""
    heats: traitlets.List[Any] = traitlets.List(help="iterations that were probed").tag(sync=True)
    views: traitlets.List[Any] = traitlets.List(help="views to open: class and name").tag(sync=True)
    opened: Any = WidgetTrait().tag(sync=True)
    """The view opened on the page, None where there is none."""
    opened_of: traitlets.List[Any] = traitlets.List(help="its selection, and what it shows").tag(sync=True)

    def __init__(self, run: Run) -> None:
        self.run = run
        self._read()
        heats = sorted(self._probes)
        super().__init__(
            self._rows(),
            widths={
                "request": 3.0,
                "iteration": "5.8em",
                "part": "4.8em",
                "state": "6.6em",
                "verdict": "9.2em",
                "fate": "8.4em",
                "kind": 0,
            },
            heats=heats,
            views=[[name, called(name)] for name in VIEWS],
            heat=max(heats, default=0),
            missing="" if self._fates else f"There is no dataset yet. {how_to_make(run, 'lt.seed(run)')}",
        )

    # ------------------------------------------------------------- values

    @property
    def selection(self) -> Samples:
        """The samples of the rows shown, in their order, each once."""
        rows = {self._samples[i].id: self._samples[i] for i in self.order}
        return Samples(rows.values())

    @property
    def is_outdated(self) -> bool:
        """Whether somebody has decided something since the run was read."""
        return written_at(self.run) != self._stamp

    @property
    def iteration(self) -> int:
        """The iteration of the selected samples, the newest of several."""
        return max((self._fates[i].iteration for i in self.order), default=0)

    @property
    def fits(self) -> list[str]:
        """Names of views that can show the selection, the best first."""
        out = [name for name in VIEWS if any(True for way in self._ways(name) for _ in way)]
        first = self._first()
        return sorted(out, key=lambda name: name != first)

    def open_in(self, view: str = "") -> View:
        """A view of the selection.

        Args:
            view: its name, one of `VIEWS`; empty: the best one.

        Raises:
            ValueError: that view cannot show the selection.
        """
        from looptool_kit import widgets

        fits = self.fits
        name = view or (fits[0] if fits else "")
        if name not in fits:
            raise ValueError(
                f"{name or 'no view'} can show this selection; these can:"
                f" {', '.join(fits) or 'none, the samples were not probed yet'}"
            )
        iteration, ids = self._ids(name)
        return cast(View, getattr(widgets, name)(self.run, iteration=iteration, only=ids))

    def flips(self) -> list[dict[str, Any]]:
        """What each policy fixed and broke of the held-out samples.

        Each is compared with the one before it.

        Returns:
            Rows of before, after, samples (in both), fixed, broken.
        """
        return held_out_flips(self.run)

    def errors(self, iteration: int, against: bool = False) -> tuple[list[str], list[str], list[list[int]]]:
        """Tools, kinds of error, and the samples with each of both.

        A count is of samples of D_j that have that fault at that tool.

        With `against`, minus those of the iteration before.
        """
        now, before = self._errors_of(iteration), self._errors_of(iteration - 1)
        both = now + before if against else now
        by_tool, by_kind = Counter[str](), Counter[str]()
        for (tool, kind), n in both.items():
            by_tool[tool] += n
            by_kind[kind] += n
        tools, kinds = [t for t, _ in by_tool.most_common(30)], [k for k, _ in by_kind.most_common()]
        return tools, kinds, [[now[t, k] - (before[t, k] if against else 0) for k in kinds] for t in tools]

    def _errors_of(self, iteration: int) -> Counter[tuple[str, str]]:
        if iteration not in self._errors:
            self._errors[iteration] = error_counts(self._probes.get(iteration, {}).values(), self._asking)
        return self._errors[iteration]

    def refresh(self) -> None:
        """Read the run again and show what is new.

        What was clicked stays selected. The heat map moves to a newer iteration if there is one.
        """
        newest = max(self.heats, default=0)
        self._read()
        with self.hold_sync():
            self.heats = sorted(self._probes)
            if max(self.heats, default=0) > newest:
                self.heat = max(self.heats)
            self.replace(self._rows())

    # --------------------------------------------------- what the page asks

    def on_refresh(self) -> dict[str, Any]:
        """Read the run again."""
        before = len(self._fates)
        self.refresh()
        return {"message": f"read again: {len(self._fates):,} rows, {len(self._fates) - before:+,}"}

    def on_map(self, width: int = 0) -> dict[str, Any]:
        """Answer with the map, a note, and the held-out samples that flipped.

        The note says what the map does not show yet.
        """
        return {
            "svg": self._map(width=width or 960),
            "note": self.note,
            "flips": [list(f.values()) for f in self.flips()],
            "legend": legend({f.part for f in self._fates}) + words_of({f.verdict for f in self._fates}),
        }

    def on_heat(self, iteration: int, against: bool) -> dict[str, Any]:
        """The heat map of an iteration.

        `first`: there is no iteration before to compare with.
        """
        first = iteration - 1 not in self._probes
        tools, kinds, values = self.errors(iteration, against and not first)
        return {
            "svg": self._heat(iteration, against),
            "tools": tools,
            "kinds": kinds,
            "empty": not values,
            "first": first,
        }

    def on_sample(self, at: int | None = None) -> dict[str, Any]:
        """The row at place `at` in full, and the views for it.

        None: the row at the cursor. The views are those that can be opened.
        """
        # Named by the page: its question can arrive before the cursor that it set.
        place = self.cursor if at is None else int(at)
        if not 0 <= place < len(self.order):
            return {"sample": None, "fits": []}
        row = self.order[place]
        fate = self._fates[row]
        probe = self._probes.get(fate.iteration, {}).get(fate.sample_id)
        verdict = self._verdicts.get(fate.iteration, {}).get(fate.sample_id)
        return {"sample": detail(self._samples[row], probe, verdict), "fits": self.fits}

    def on_open(self, view: str = "") -> dict[str, Any]:
        """Show a view of the selection below the map."""
        refuse_unsaved(self.opened)
        before, new = self.opened, self.open_in(view)
        iteration, ids = self._ids(name := type(new).__name__)
        shows = f"{len(ids):,} of the {len(self.order):,} rows, in {called(name)} of D{iteration}"
        # First what it is of: another selection leaves the view as it is.
        self.opened_of = [self.selected, shows]
        self.opened = new
        if before is not None:
            before.close()
        return {"message": f"{shows}, below"}

    def on_close(self) -> dict[str, Any]:
        """Close the opened view, and count what was decided in it."""
        refuse_unsaved(self.opened)
        before, self.opened = self.opened, None
        if before is not None:
            before.close()
        if self.is_outdated:
            self.refresh()
        return {}

    def static_html(self) -> str:
        rest = picture(self._heat(self.heat, self.against)) if self.heat else ""
        if held_out := self.flips():
            rest += table_html(
                list(held_out[0]),
                [list(f.values()) for f in held_out],
                "held-out samples from policy to policy",
            )
        tries = (
            picture(self._map(j)) + flow_table(self._counts, j) + rest for j in self.run.iterations or [1]
        )
        return next((text for text in tries if len(text) < STATIC_CHARACTERS), rest)

    # ------------------------------------------------------------- within

    def _read(self) -> None:
        run, self._stamp = self.run, written_at(self.run)
        self._probes: dict[int, dict[str, Probe]] = {}
        self._verdicts: dict[int, dict[str, Verdict]] = {}
        self._errors: dict[int, Counter[tuple[str, str]]] = {}
        datasets = {j: run.table(Samples, "samples", j) for j in run.iterations}
        fate_table = fates(run)
        for j in datasets:
            if run.manifest("probes", j):
                self._probes[j] = {p.sample_id: p for p in run.table(Probes, "probes", j)}
            if run.manifest("verdicts", j):
                verdicts = with_decisions(run.table(Verdicts, "verdicts", j), run.decisions("verdict", j))
                self._verdicts[j] = {v.sample_id: v for v in verdicts}
        self._fates: list[Fate] = list(fate_table)
        self._samples: list[Sample] = [s for samples in datasets.values() for s in samples]
        self._asking = {s.id for s in self._samples if s.label.asks}
        self._place = place = {(f.iteration, f.sample_id): i for i, f in enumerate(self._fates)}
        self._expanded = {j for j in datasets if (run.folder(j) / "expansions.parquet").exists()}
        self._parts: dict[str, list[int]] = {}
        for i, fate in enumerate(self._fates):
            self._parts.setdefault(node(fate.iteration, "part", fate.part), []).append(i)
        self._behind: dict[tuple[str, str], list[int]] = {}
        for step in flows(run, fate_table):
            self._behind.setdefault((step.source, step.target), []).append(
                place[step.iteration, step.sample_id]
            )
        self._counts = {flow: len(rows) for flow, rows in self._behind.items()}
        self.note = newer_note(run, fate_table)

    def _rows(self) -> Rows:
        columns: dict[str, Any] = {
            "request": [s.request for s in self._samples],
            "iteration": np.array([f.iteration for f in self._fates], int),
        }
        for name in ("part", "state", "verdict", "fate"):
            columns[name] = [getattr(f, name) or "–" for f in self._fates]
        columns["kind"] = [s.kind or "–" for s in self._samples]
        return Rows(columns, FACETS, lambda i: f"{self._samples[i].id}\n{self._samples[i].request}")

    @property
    def kept(self) -> np.ndarray | None:
        selection = self.selected
        if not selection:
            return None
        mask = np.zeros(len(self._fates), bool)
        if selection[0] == "flow":
            mask[self._behind.get((selection[1], selection[2]), [])] = True
        elif selection[0] == "node":
            # Rows that flow in, under the ids that they have there; if nothing flows in, rows that flow out.
            into = [rows for (_, target), rows in self._behind.items() if target == selection[1]]
            for rows in into or [
                rows for (source, _), rows in self._behind.items() if source == selection[1]
            ]:
                mask[rows] = True
            mask[self._parts.get(selection[1], [])] = True
        elif selection[0] == "errors":
            _, j, tool, kind = selection
            having = [
                p
                for p in self._probes.get(j, {}).values()
                if any(
                    (f.tool or "(no tool)", told_kind(f.kind, p.sample_id in self._asking)) == (tool, kind)
                    for f in p.faults
                )
            ]
            mask[[self._place[j, p.sample_id] for p in having if (j, p.sample_id) in self._place]] = True
        return mask

    @traitlets.validate("selected")
    def _known_selection(self, proposal: Any) -> list[Any]:
        value = list(proposal["value"])
        shapes = {"node": (str, str), "flow": (str, str, str), "errors": (str, int, str, str)}
        if value and (value[0] not in shapes or tuple(map(type, value)) != shapes[value[0]]):
            raise traitlets.TraitError(
                f'not {value}: [], ["node", name], ["flow", source, target] or ["errors", iteration, tool,'
                " kind]"
            )
        return value

    @traitlets.observe("selected")
    def _select(self, _: Any) -> None:
        self.arrange()

    def _first(self) -> str:
        """The best view for what was clicked."""
        ends = [str(end) for end in self.selected[1:]]
        if not ends or self.selected[0] == "errors":
            return "ProbeView"
        if ends[-1].endswith(("/part/EE", "/new/children")):
            return "ExpansionView"
        return (
            "DisagreementView"
            if any("/verdict/" in end or end.endswith("/state/failed") for end in ends)
            else "ProbeView"
        )

    def _ways(self, view: str) -> list[Iterator[tuple[int, str]]]:
        """Iteration and id of the selected samples that a view can show.

        The first list with any counts.
        """
        rows = self.order.tolist()

        def those(keep: Callable[[Fate], bool], back: int = 0) -> Iterator[tuple[int, str]]:
            return ((f.iteration - back, f.sample_id) for i in rows if keep(f := self._fates[i]))

        if view != "ExpansionView":
            shown = self._probes if view == "ProbeView" else self._verdicts
            return [those(lambda f: f.sample_id in shown.get(f.iteration, ()))]
        # A child is a candidate of the iteration before the one in whose dataset it stands, and may be an
        # error seed there.
        born = those(lambda f: f.part == "EE" and f.iteration - 1 in self._expanded, 1)
        seeds = those(
            lambda f: f.fate in ("error seed", "relabelled", "merged") and f.iteration in self._expanded
        )
        return [born, seeds] if self._first() == view else [seeds, born]

    def _ids(self, view: str) -> tuple[int, set[str]]:
        """The newest iteration of the selection, and its selected samples' ids.

        A view can show these.
        """
        rows: set[tuple[int, str]] = next((some for way in self._ways(view) if (some := set(way))), set())
        newest = max((j for j, _ in rows), default=0)
        return newest, {id for j, id in rows if j == newest}

    def _map(self, first: int = 1, width: float = 960) -> str:
        sizes = {place: len(rows) for place, rows in self._parts.items()}
        return flow_map(self._counts, sizes, [j for j in self.run.iterations if j >= first], width)

    def _heat(self, iteration: int, against: bool) -> str:
        before = iteration - 1 if against and iteration - 1 in self._probes else 0
        return error_map(*self.errors(iteration, bool(before)), iteration, before)
