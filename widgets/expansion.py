"""Error seeds and their children (EDDE, LoopTool section 3.5).

What changed, and what a person decides.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np
import traitlets

from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.preview import table_html
from looptool_kit.core.records import Expansion, Expansions, Probes, Verdicts
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed, all_seeds, chosen, with_decisions
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run
from looptool_kit.widgets.detail import aligned, detail
from looptool_kit.widgets.drafts import UNSAVED, is_draft, is_unsaved, kept_at, restore_texts
from looptool_kit.widgets.labels import LabelForm, label_text, read_label
from looptool_kit.widgets.novelty import Dataset
from looptool_kit.widgets.offspring import (
    DECIDED,
    by_seed,
    decided_on,
    fault_place,
    is_edit,
    state_of,
    taken,
)
from looptool_kit.widgets.rows import Rows, TableView
from looptool_kit.widgets.text_diff import word_diff
from looptool_kit.widgets.view import error_in_words, read_only_note, script, stage_of, style

_STATIC_ROWS = 10
"""Rows in a notebook without a kernel."""


class ExpansionView(LabelForm, TableView):
    """The error seeds of an iteration, each with its candidates.

    A decision is in `decisions.jsonl` at once (subject `expansion`, row: the child's id) and takes effect at
    the next compose. Python values: `decisions`, `selection`.
    """

    _esm = script(
        *("sample", "table_head", "table", "label_fields", "label_form", "drafts", "judgement"),
        *("child_card", "children", "expansion"),
    )
    _css = style()

    child = traitlets.Unicode("").tag(sync=True)
    """Id of the current child; if the selected seed has no such child, its first one is current."""
    editing = traitlets.Unicode("").tag(sync=True)
    """Id of the child whose editor is open; empty: none."""
    drafts = traitlets.Dict().tag(sync=True)
    """Child id -> {"request": text, "label": text} of an edit that is not recorded yet."""
    iteration = traitlets.Int(help="of the expansions").tag(sync=True)
    blocked = traitlets.Unicode(help="why nothing can be decided, empty where it can").tag(sync=True)

    def __init__(self, run: Run, iteration: int | None = None, only: Collection[str] | None = None) -> None:
        """Show the expansions of an iteration.

        Args:
            run: its run.
            iteration: None: the newest that has expansions. Where it has none the view is empty and says so.
            only: ids of the error seeds to show, as probed or as relabelled, or of children, whose seeds are
                then shown; None: all.
        """
        self.run = run
        self._j, missing = stage_of(run, "expansions", iteration)
        made = not missing
        self.expansions = run.table(Expansions, "expansions", self._j) if made else Expansions()
        self.samples = run.table(Samples, "samples", self._j) if made else Samples()
        self._probes = run.table(Probes, "probes", self._j) if made else Probes()
        self._verdicts = run.table(Verdicts, "verdicts", self._j) if made else Verdicts()
        self._children = by_seed(self.expansions)
        self._by_id = {child.sample.id: child for child in self.expansions}
        self._dataset = Dataset(self.samples)
        self._decisions: dict[str, Decision] = {}
        self._overruled: dict[str, Decision] = {}
        self._stamp: tuple[int, int] | None = (0, 0)
        judged = {
            s.sample.id: s for s in all_seeds(self.run, self._j, self.samples, self._probes, self._verdicts)
        }
        self._standing = set(judged)
        self._reread()
        with_person = {
            s.sample.id: s
            for s in all_seeds(
                self.run, self._j, self.samples, self._probes, with_decisions(self._verdicts, self._overruled)
            )
        }
        self.seeds = list({**judged, **with_person}.values())
        if only is not None:
            wanted = {*only, *(child.seed_id for child in self.expansions if child.sample.id in only)}
            self.seeds = [s for s in self.seeds if s.sample.id in wanted or s.probe.sample_id in wanted]
            shown = {s.sample.id for s in self.seeds}
            self.expansions = self.expansions.where(lambda child: child.seed_id in shown)
        rows = Rows(
            {
                "request": [s.sample.request for s in self.seeds],
                "error": [error_in_words(s.probe, s.sample) for s in self.seeds],
                "at": [fault_place(s) for s in self.seeds],
                "decided": [""] * len(self.seeds),
                "accepted": [""] * len(self.seeds),
            },
            facets=("error", "decided"),
            text=lambda i: f"{self.seeds[i].sample.request} {self.pattern(self.seeds[i])}",
        )
        rows.recode("decided", np.zeros(len(self.seeds), np.int64), DECIDED)
        widths = {"request": 1, "error": "10.5em", "at": 0, "accepted": "7.2em", "decided": 0}
        traits = {"blocked": read_only_note(run), "kept_at": kept_at(run, self, self._j)}
        super().__init__(rows, widths, ("decided",), iteration=self._j, missing=missing, **traits)
        self._recount()

    # ------------------------------------------------------------- values

    @property
    def decisions(self) -> dict[str, Decision]:
        """The decisions in force on candidates, by child id, oldest first."""
        self._reread()
        return dict(self._decisions)

    @property
    def selection(self) -> Samples:
        """The children that compose would take now (D_EE), edited ones as edited."""
        self._reread()
        rows = {
            e.sample.id: e.sample
            for e in chosen(self.expansions, self._decisions)
            if e.seed_id in self._standing
        }
        return Samples(rows.values())

    def pattern(self, seed: ErrorSeed) -> str:
        """The error pattern that a seed's children keep: the prediction's first fault."""
        children = self._children.get(seed.sample.id, [])
        if children:
            return children[0].pattern
        return seed.probe.faults[0].told(seed.sample.label.asks) if seed.probe.faults else ""

    # --------------------------------------------------- what the page asks

    def on_seed(self, place: int) -> dict[str, Any]:
        """The seed at a place of the order shown, with its children."""
        self._reread()
        if not len(self.order):
            return {"id": None, "children": []}
        seed = self.seeds[self.order[max(0, min(int(place), len(self.order) - 1))]]
        return {
            "id": seed.sample.id,
            "pattern": self.pattern(seed),
            "standing": seed.sample.id in self._standing,
            "relabelled": seed.sample.id != seed.probe.sample_id,
            "detail": detail(seed.sample, seed.probe, seed.verdict),
            "children": [self._card(seed, child) for child in self._children.get(seed.sample.id, ())],
        }

    def on_restore(self, drafts: dict[str, Any]) -> dict[str, Any]:
        """Take edits that a page had kept, and open the first."""
        seeds = {seed.sample.id: i for i, seed in enumerate(self.seeds)}
        place = {e.sample.id: seeds[e.seed_id] for e in self.expansions if e.seed_id in seeds}
        with self.hold_sync():
            answer = restore_texts(self, {"drafts": drafts}, place, is_draft)
            self.child = self.editing = self.editing or next(iter(self.drafts), "")
        return answer

    def on_novelty(self, seed: str) -> dict[str, Any]:
        """The novelty of a seed's children against D_j.

        Returns:
            `rows`: [1 - similarity, nearest id, its request] of each child. While `left` is above 0 they are
            not ready: ask again.
        """
        # A tenth of a second at a time, so that the kernel answers other questions meanwhile.
        self._dataset.grow(0.1)
        if self._dataset.left:
            return {"left": self._dataset.left}
        novelties = [self._dataset.novelty(self._shown(c)) for c in self._children.get(seed, ())]
        return {
            "left": 0,
            "rows": [
                [n.value, n.nearest.id if n.nearest else "", n.nearest.request if n.nearest else ""]
                for n in novelties
            ],
        }

    def on_sample(self, id: str) -> dict[str, Any]:
        """A child in full."""
        return {"detail": detail(self._shown(self._find(id)))}

    def on_decide(self, id: str, value: str) -> dict[str, Any]:
        """Accept or reject a child."""
        if value not in ("accept", "reject"):
            raise ValueError(f"a child is accepted or rejected, not {value!r}")
        child = self._find(id)
        if is_unsaved(self.drafts, id, _as_text(self._shown(child))):
            raise ValueError(UNSAVED)
        if value == "accept":
            self._keep_out_of_training(child.sample)
        if (before := self._decisions.get(id)) is None or before.value != value:
            self._record(id, value)
        return {
            "message": f"{'Accepted' if value == 'accept' else 'Rejected'} {self._place(child)}; on disk."
        }

    def on_edit(self, id: str, request: str, label: str) -> dict[str, Any]:
        """Replace a child's request and label (see `labels.read_label`).

        Raises:
            ValueError: nothing was changed, or a check fails.
        """
        child = self._find(id).sample
        if not request.strip():
            raise ValueError("the request is empty")
        request.encode()  # a lone surrogate could not be written
        last = max(i for i, m in enumerate(child.messages) if m.role == "user")
        messages = (
            *child.messages[:last],
            child.messages[last].model_copy(update={"content": request}),
            *child.messages[last + 1 :],
        )
        origin = {"source": "person", "strategy": "person", "iteration": self._j}
        blank = child.model_copy(update={"messages": messages, "label": Label(), **origin})
        sample = blank.model_copy(update={"label": read_label(label, blank)})
        if sample.id == child.id:
            raise ValueError("nothing was changed: accept the child as it is (a)")
        failed = [f"{c.name}: {c.detail}" for c in check_sample(sample) if not c.passed]
        if failed:
            raise ValueError("; ".join(failed))
        self._keep_out_of_training(sample)
        self._record(id, {"edit": sample.model_dump(mode="json")})
        with self.hold_sync():
            self.editing = "" if self.editing == id else self.editing
            self.drafts = {k: v for k, v in self.drafts.items() if k != id}
        return {"message": f"Edited and accepted {self._place(self._find(id))}; on disk."}

    def on_undo(self, id: str) -> dict[str, Any]:
        """Take back the decision in force on a child."""
        self._reread()
        child = self._find(id)
        decision = self._decisions.get(id)
        if decision is None:
            return {"message": f"There is no decision on {self._place(child)} to take back."}
        self.run.decide("expansion", id, "undo", iteration=decision.iteration)
        self._recount()
        undone = "edit" if is_edit(decision) else decision.value
        now = self._state(child)["words"]
        return {"message": f"Taken back: {undone} of {self._place(child)}, which is now {now}."}

    def on_undo_last(self) -> dict[str, Any]:
        """Take back the last decision on a child of these seeds.

        Returns the place of its seed in the order shown, None where a filter hides it, and its id.
        """
        self._reread()
        at = {seed.sample.id: i for i, seed in enumerate(self.seeds)}
        decided = [id for id in self._decisions if self._by_id[id].seed_id in at]
        if not decided:
            return {"message": "Nothing is decided, so there is nothing to take back."}
        answer = self.on_undo(decided[-1])
        places = np.flatnonzero(self.order == at[self._by_id[decided[-1]].seed_id])
        if not len(places):
            answer["message"] += " The filter hides its seed."
        return {**answer, "place": int(places[0]) if len(places) else None, "id": decided[-1]}

    def static_html(self) -> str:
        if self.missing:
            return table_html((), (), self.missing)
        rows: list[list[str]] = []
        for seed in self.seeds:
            for child in self._children.get(seed.sample.id, ()):
                if len(rows) < _STATIC_ROWS:
                    failed = "; ".join(f"{c.name} {c.detail}" for c in child.checks if not c.passed)
                    shown = self._shown(child)
                    cells = (
                        seed.sample.request,
                        shown.request,
                        shown.kind if shown.kind == seed.sample.kind else f"contrast: {shown.kind}",
                        self.pattern(seed),
                        self._state(child)["words"],
                        failed,
                    )
                    rows.append([c[:300] for c in cells])
        caption = (
            f"Iteration {self._j}: {len(self.seeds)} error seeds, {len(self.expansions)} candidates,"
            f" {len(self.selection)} accepted"
        )
        caption += f"; the first {len(rows)}" if len(rows) < len(self.expansions) else ""
        columns = ("seed", "child", "kind", "error pattern", "state", "failed checks")
        return table_html(columns, rows, caption, wide=("seed", "child", "error pattern"))

    # ------------------------------------------------------------- within

    def _card(self, seed: ErrorSeed, child: Expansion) -> dict[str, Any]:
        sample, parent = self._shown(child), seed.sample
        tools, parent_tools = {t.name for t in sample.tools}, {t.name for t in parent.tools}
        return {
            "id": child.sample.id,
            "state": self._state(child),
            "strategy": child.strategy,
            "kinds": [parent.kind, sample.kind],
            "checks": [[c.name, c.passed, c.detail] for c in child.checks],
            "request": word_diff(parent.request, sample.request),
            "calls": aligned(parent.label, sample.label),
            "reply": (
                None
                if parent.label.calls and sample.label.calls
                else word_diff(parent.label.reply, sample.label.reply)
            ),
            "tools": [sorted(parent_tools - tools), sorted(tools - parent_tools)],
            "turns": len(sample.messages),
            "text": _as_text(sample),
        }

    def _state(self, child: Expansion) -> dict[str, Any]:
        return state_of(child, self._decisions.get(child.sample.id))

    def _place(self, child: Expansion) -> str:
        """Which of its seed's children it is, in words."""
        ids = [c.sample.id for c in self._children[child.seed_id]]
        return f"child {ids.index(child.sample.id) + 1} of {len(ids)}"

    def _shown(self, child: Expansion) -> Sample:
        decision = self._decisions.get(child.sample.id)
        return (
            chosen([child], {child.sample.id: decision})[0].sample
            if decision and is_edit(decision)
            else child.sample
        )

    def _find(self, id: str) -> Expansion:
        if id not in self._by_id:
            raise ValueError(f"iteration {self._j} has no candidate {id!r}")
        return self._by_id[id]

    def _record(self, id: str, value: Any) -> None:
        self.run.decide("expansion", id, value, iteration=self._j)
        self._recount()

    @cached_property
    def _held_out(self) -> Deduplicator:
        return Deduplicator(self.run.table(Samples, "held_out", 0))

    def _keep_out_of_training(self, sample: Sample) -> None:
        if (twin := self._held_out.duplicate_of(sample)) is not None:
            raise ValueError(
                f"this repeats held-out sample {twin}: trained on it, the policy would be measured on what it"
                " has seen. Edit it (e)."
            )

    def _reread(self) -> None:
        try:
            stat = (self.run.path / "decisions.jsonl").stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
        except FileNotFoundError:
            stamp = None
        if stamp == self._stamp:
            return
        self._stamp = stamp
        decided = self.run.decisions("expansion", self._j)
        self._decisions = {
            row: d
            for row, d in decided.items()
            if row in self._by_id and (d.value in ("accept", "reject") or is_edit(d))
        }
        overruled = self.run.decisions("verdict", self._j)
        if overruled != self._overruled:
            self._overruled = overruled
            self._standing = {
                s.sample.id
                for s in all_seeds(
                    self.run, self._j, self.samples, self._probes, with_decisions(self._verdicts, overruled)
                )
            }

    def _recount(self) -> None:
        self._reread()
        children = [self._children.get(seed.sample.id, []) for seed in self.seeds]
        counts = [taken(each, self._decisions) for each in children]
        names = sorted(set(counts))
        at = {pair: i for i, pair in enumerate(names)}
        words = [f"{a} of {n}" if n else "none made" for a, n in names]
        self.rows.recode("accepted", np.array([at[c] for c in counts], np.int64), words)
        # A seed stays in sight while a person decides on its children, whatever the filter.
        self.rows.recode(
            "decided", np.array([decided_on(c, self._decisions) for c in children], np.int64), DECIDED
        )
        self.version += 1


def _as_text(child: Sample) -> dict[str, str]:
    """A child as text for editing."""
    return {"request": child.request, "label": label_text(child.label)}
