"""What a person keeps of a table of samples: tags, filters with a name, copies, files and links."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode

import numpy as np
import traitlets
from pydantic import JsonValue

from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample
from looptool_kit.lineage.error_seeds import with_a_persons_labels
from looptool_kit.run.decisions import user_name, whole
from looptool_kit.run.folder import Run
from looptool_kit.widgets.drafts import kept_at
from looptool_kit.widgets.rows import Rows, TableView
from looptool_kit.widgets.view import read_only_note

MAX_SAVED_ROWS = 20_000
"""Rows of a file that a browser is given; all of a dataset is what `looptool export` is for."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a text for a formula."""
NO_TAG = ("(none)",)
_OF_NO_RUN = "These rows belong to no run that could keep it."


def tags_of(run: Run, samples: Sequence[Sample]) -> list[tuple[str, ...]]:
    """The tags of each sample, as a column."""
    tags = {row: d.value for row, d in run.decisions("tag").items() if isinstance(d.value, list)}
    return [tuple(map(str, tags.get(s.id) or ())) or NO_TAG for s in samples]


class SampleTable(TableView):
    """A table of a run's samples, one a row.

    The column `tags` is among its columns.
    """

    annotator = traitlets.Unicode("", help="whose decisions these are").tag(sync=True)
    blocked = traitlets.Unicode(help="why nothing can be decided or kept, empty where it can").tag(sync=True)
    saved: traitlets.List[Any] = traitlets.List(help="names of the filters kept for this kind of view").tag(
        sync=True
    )

    def __init__(
        self, rows: Rows, run: Run | None, samples: Sequence[Sample], linked: int, **traits: Any
    ) -> None:
        """Show rows.

        Args:
            rows: all rows; of a run, with the column `tags`.
            run: whose decisions hold tags and filters; None: there are none.
            samples: the sample of each row.
            linked: the iteration that a link leads to.
            traits: as for `TableView`.
        """
        self._of, self._each, self._linked = run, samples, linked
        name = whole((run.annotator if run else "") or user_name())
        traits |= {"annotator": name, "saved": self._names(), "kept_at": kept_at(run, self, linked)}
        traits["blocked"] = read_only_note(run) if run else _OF_NO_RUN
        super().__init__(rows, **traits)

    # --------------------------------------------------------------- place

    @property
    def place(self) -> str:
        """What is shown, as the query of a link.

        `go_to` comes back to it.
        """
        values = {"view": type(self).__name__, "iteration": str(self._linked)}
        values |= {"sort": self.sort, "search": self.search}
        values |= {f"only.{name}": str(value) for name, value in self.filters.items()}
        if brush := getattr(self, "brush", None):
            values["range"] = " ".join(map(repr, brush))
        return urlencode({name: value for name, value in values.items() if value})

    def go_to(self, place: str) -> Self:
        """Show what a link is about.

        Args:
            place: a `place`, of a link to a sample with its id behind it.

        Raises:
            ValueError: it is about another view or iteration, or about what is not here.
        """
        values = dict(parse_qsl(place.lstrip("?")))
        here = {"view": type(self).__name__, "iteration": str(self._linked)}
        for name, mine in here.items():
            if values.get(name, mine) != mine:
                raise ValueError(f"this link is about {name} {values[name]}, and this is {name} {mine}")
        try:
            with self.hold_sync():
                only = {n.removeprefix("only."): v for n, v in values.items() if n.startswith("only.")}
                self.filters, self.search = only, values.get("search", "")
                self.sort = values.get("sort", "")
                if hasattr(self, "brush"):
                    self.brush = [float(v) for v in values.get("range", "").split()]
                self._select(values.get("sample", ""))
        except traitlets.TraitError as error:
            raise ValueError(f"this link does not fit: {error}") from None
        return self

    def _select(self, id: str) -> None:
        at = [k for k, i in enumerate(self.order) if self._each[i].id == id]
        if id and not at:
            raise ValueError(f"sample {id} is not among the rows of this link")
        self.cursor = at[0] if at else 0

    # ------------------------------------------------------- asked by the page

    def on_row(self, at: int) -> dict[str, Any]:
        """Return id and tags of the row at this place.

        Places are those of the order shown.
        """
        if not 0 <= int(at) < len(self.order):
            return {"id": None, "tags": ""}
        i = int(self.order[int(at)])
        tags = self.rows.full("tags", i) if self._of else ""
        return {"id": self._each[i].id, "tags": "" if tags == NO_TAG[0] else tags}

    def on_tag(self, id: str, tags: str) -> dict[str, Any]:
        """Give a sample these tags, with commas between them.

        They replace those that it has.
        """
        run = self._writable()
        found = list(dict.fromkeys(tag for tag in map(str.strip, tags.split(",")) if tag))
        run.decide("tag", id, list[JsonValue](found), author=self.annotator)
        self.rows.reword("tags", tags_of(run, self._each))
        self.arrange()
        return {"message": f"tagged {', '.join(found)}" if found else "this sample has no tag now"}

    def on_copy(self, at: int) -> dict[str, Any]:
        """Return a sample as JSON, and two links to it.

        It is the one at this place of the order shown, under the label that a person decided. The links are a
        query, and code.
        """
        if not 0 <= int(at) < len(self.order):
            raise ValueError("no row is shown")
        sample = self._each[int(self.order[int(at)])]
        [decided] = self._as_decided([sample])
        query = self.on_place(at)["query"]
        call = f"{type(self).__name__}(run, iteration={self._linked})"
        return {"sample": decided.model_dump_json(), "query": query, "code": f"{call}.go_to({query!r})"}

    def on_place(self, at: int) -> dict[str, Any]:
        """Return the query of a link to what is shown.

        It names the row at this place, if there is one.
        """
        sample = [self._each[int(self.order[int(at)])].id] if 0 <= int(at) < len(self.order) else []
        return {"query": "&sample=".join([self.place, *sample])}

    def on_come_back(self, place: str) -> dict[str, Any]:
        """Show what was shown before, as far as it is still there."""
        with suppress(ValueError):
            self.go_to(place)
        return {}

    def on_save(self, form: str) -> dict[str, Any]:
        """Return the rows shown as a file.

        It is their samples as `jsonl`, under the labels that a person decided, or the table as `csv`.
        """
        if len(self.order) > MAX_SAVED_ROWS:
            raise ValueError(
                f"{len(self.order):,} rows are more than the {MAX_SAVED_ROWS:,} that a page saves: filter"
                " them, or use `looptool export`"
            )
        text = self._jsonl() if form == "jsonl" else self._csv()
        name = f"{self._of.name if self._of else 'probes'}-{self._linked}.{form}"
        samples = len({self._each[i].id for i in self.order})
        what = f"{samples:,} samples" if form == "jsonl" else f"{len(self.order):,} rows"
        return {"name": name, "text": text, "message": f"{what} saved as {name}"}

    def on_keep(self, name: str) -> dict[str, Any]:
        """Keep filters, search, sort and range under a name."""
        if not (name := name.strip()):
            raise ValueError("give the filter a name")
        self._writable().decide("filter", f"{type(self).__name__}/{name}", self.place, author=self.annotator)
        self.saved = self._names()
        return {"message": f"kept as {name}"}

    def on_recall(self, name: str) -> dict[str, Any]:
        """Show what was kept under a name."""
        self.go_to(self._kept_filters()[name])
        return {"message": f"{name}: {len(self.order):,} rows"}

    def on_forget(self, name: str) -> dict[str, Any]:
        """Forget what was kept under a name."""
        self._writable().decide("filter", f"{type(self).__name__}/{name}", "", author=self.annotator)
        self.saved = self._names()
        return {"message": f"{name} is forgotten"}

    # ------------------------------------------------------------- within

    def cells(self, i: int) -> list[str]:
        """Row i as a file has it."""
        return [self.rows.full(name, i) for name in self.rows.names]

    def _jsonl(self) -> str:
        rows = {self._each[i].id: self._each[i] for i in self.order}
        return "".join(f"{sample.model_dump_json()}\n" for sample in self._as_decided(rows.values()))

    def _as_decided(self, samples: Iterable[Sample]) -> list[Sample]:
        return with_a_persons_labels(self._of, self._linked, samples) if self._of else list(samples)

    def _csv(self) -> str:
        out = io.StringIO()
        write = csv.writer(out).writerow
        write(["id", *self.rows.names])
        numeric = np.array([self.rows.numeric(name) for name in self.rows.names])
        for i in map(int, self.order):
            # A dash on the page is an empty cell in a table.
            cells = ["" if text == "–" else text for text in self.cells(i)]
            pairs = zip(cells, numeric, strict=True)
            safe = [t if number or not t.startswith(FORMULA) else f"'{t}" for t, number in pairs]
            write([self._each[i].id, *safe])
        return out.getvalue()

    def _writable(self) -> Run:
        if self._of is None:
            raise RunError(_OF_NO_RUN)
        if self._of.read_only:
            raise RunError(self.blocked)
        return self._of

    def _kept_filters(self) -> dict[str, str]:
        kind = f"{type(self).__name__}/"
        kept = self._of.decisions("filter") if self._of else {}
        mine = {row.removeprefix(kind): str(d.value) for row, d in kept.items() if row.startswith(kind)}
        return {name: place for name, place in mine.items() if place}

    def _names(self) -> list[str]:
        return sorted(self._kept_filters())

    @traitlets.observe("annotator")
    def _signed(self, _: Any) -> None:
        if self._of is not None:
            self._of.annotator = self.annotator.strip()
