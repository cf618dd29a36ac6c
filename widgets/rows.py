"""A table of many rows.

Python keeps columns and order, `js/table.js` asks for the rows in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import traitlets

from looptool_kit.widgets.view import View

MAX_CELL_CHARACTERS = 200
"""Characters of a cell that are sent to the page."""
MAX_FACET_VALUES = 500
"""Values of a facet that the page offers; rarer ones are reached by searching."""
MAX_PAGE_ROWS = 200
"""Rows of one answer, whatever number a page asks for."""
HEAD_ROWS = 40
"""Rows that are sent with every new order, so that a page which shows the first ones need not ask."""


class Rows:
    """Columns of equal length, each sortable.

    Facets filter by value, `text` is what a search looks through.

    A column is an array of numbers, or a sequence of strings or of tuples of strings. Tuples are shown with
    commas and filtered by membership. `text(i)` gives the text of row i; the first search reads all of them.
    """

    def __init__(
        self, columns: Mapping[str, Any], facets: Sequence[str] = (), text: Callable[[int], str] | None = None
    ) -> None:
        self._columns: dict[str, _Numbers | _Words] = {
            name: _Numbers(v) if isinstance(v, np.ndarray) and v.dtype.kind in "biuf" else _Words(v)
            for name, v in columns.items()
        }
        lengths = {name: len(c.values) for name, c in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        self.facets = tuple(facets)
        self._text = text
        self._texts: list[str] | None = None
        self._search: tuple[str, np.ndarray] | None = None
        self._sorted: dict[str, np.ndarray] = {}
        self._length = next(iter(lengths.values()), 0)

    def __len__(self) -> int:
        return self._length

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return list(self._columns)

    def numeric(self, name: str) -> bool:
        """Whether the column holds numbers."""
        return isinstance(self._columns[name], _Numbers)

    def cell(self, name: str, row: int) -> str:
        """A cell as it is shown."""
        return self._columns[name].show(row)

    def full(self, name: str, row: int) -> str:
        """A cell in full, however long."""
        column = self._columns[name]
        coded = isinstance(column, _Numbers | _Coded)
        return column.show(row) if coded else ", ".join(_members(column.values[row]))

    def recode(self, name: str, codes: np.ndarray, names: Sequence[str | tuple[str, ...]]) -> None:
        """Give a column other values.

        `names[codes[i]]` for row i, sorted as `names` are. All names are values of the facet, at once.
        """
        self._columns[name] = _Coded(codes, names)
        self._unsort(name)

    def reword(self, name: str, values: Sequence[Any]) -> None:
        """Give a column other words; a search reads the rows again."""
        self._columns[name] = _Words(values)
        self._unsort(name)
        self._texts = self._search = None

    def _unsort(self, name: str) -> None:
        for sort in (name, f"-{name}"):
            self._sorted.pop(sort, None)

    def values(self, facet: str) -> list[tuple[str, int]]:
        """A facet's most common values with their counts, by name."""
        counts = self._columns[facet].counts()
        most = sorted(counts, key=lambda v: -counts[v])[:MAX_FACET_VALUES]
        keys = dict(zip(most, _sortable(most), strict=True))
        return [(v, counts[v]) for v in sorted(most, key=keys.__getitem__)]

    def order(
        self,
        sort: str = "",
        filters: Mapping[str, Any] | None = None,
        search: str = "",
        keep: np.ndarray | None = None,
    ) -> np.ndarray:
        """Row numbers in the order shown.

        Args:
            sort: a column's name, with "-" in front for descending; empty: the rows' own order.
            filters: facet -> value; an empty value lets all rows through.
            search: text that a row must contain, whatever the case.
            keep: one boolean for each row; None: all rows.
        """
        mask = np.ones(len(self), bool) if keep is None else keep.copy()
        for name, value in (filters or {}).items():
            if value not in ("", None):
                mask &= self._columns[name].holds(str(value))
        if search.strip():
            mask &= self._containing(search.strip().casefold())
        if not sort:
            return np.flatnonzero(mask)
        by = self._sorted_by(sort)
        return by[mask[by]]

    def _sorted_by(self, sort: str) -> np.ndarray:
        name = sort.removeprefix("-")
        if sort not in self._sorted:
            ranks = self._columns[name].ranks
            self._sorted = {sort: np.argsort(-ranks if sort.startswith("-") else ranks, kind="stable")}
        return self._sorted[sort]

    def _containing(self, needle: str) -> np.ndarray:
        if self._texts is None:
            self._texts = [self._text(i).casefold() if self._text else "" for i in range(len(self))]
        if self._search is None or self._search[0] != needle:
            self._search = (needle, np.fromiter((needle in t for t in self._texts), bool, len(self)))
        return self._search[1]


class _Numbers:
    """A column of numbers."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def show(self, row: int) -> str:
        return f"{self.values[row]:.4f}" if self.values.dtype.kind == "f" else str(self.values[row])

    @property
    def ranks(self) -> np.ndarray:
        return self.values if self.values.dtype.kind == "f" else self.values.astype(np.int64)

    def counts(self) -> dict[str, int]:
        values, counts = np.unique(self.values, return_counts=True)
        return {str(v): int(n) for v, n in zip(values, counts, strict=True)}

    def holds(self, value: str) -> np.ndarray:
        try:
            return self.values == float(value)
        except ValueError:
            return np.zeros(len(self.values), bool)


class _Words:
    """A column of strings or tuples of strings.

    Codes into the distinct values are made when a sort or a facet first needs them.
    """

    def __init__(self, values: Sequence[Any] | np.ndarray) -> None:
        self.values = values

    def show(self, row: int) -> str:
        text = ", ".join(_members(self.values[row]))
        return text if len(text) <= MAX_CELL_CHARACTERS else text[:MAX_CELL_CHARACTERS] + "…"

    @cached_property
    def coded(self) -> tuple[np.ndarray, list[Any]]:
        names = list(dict.fromkeys(self.values))
        place = {name: k for k, name in enumerate(names)}
        return np.fromiter(map(place.__getitem__, self.values), np.int64, len(self.values)), names

    @cached_property
    def ranks(self) -> np.ndarray:
        keys = _sortable([v if isinstance(v, str) else ", ".join(_members(v)) for v in self.values])
        ranks = pc.rank(_arrow(keys), tiebreaker="dense")
        return np.frombuffer(ranks.buffers()[1], np.uint64, len(keys)).astype(np.int64)

    def counts(self) -> dict[str, int]:
        codes, names = self.coded
        out: dict[str, int] = {}
        for name, n in zip(names, np.bincount(codes, minlength=len(names)), strict=True):
            for member in _members(name):
                out[member] = out.get(member, 0) + int(n)
        return out

    def holds(self, value: str) -> np.ndarray:
        codes, names = self.coded
        having = np.fromiter((value in _members(n) for n in names), bool, len(names))
        return having[codes] if len(having) else np.zeros(len(codes), bool)


class _Coded(_Words):
    """A column of words, as codes into ordered names."""

    def __init__(self, codes: np.ndarray, names: Sequence[str | tuple[str, ...]]) -> None:
        super().__init__(codes)
        self.coded, self.ranks = (codes, list(names)), codes

    def show(self, row: int) -> str:
        return ", ".join(_members(self.coded[1][self.coded[0][row]]))


def _members(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def _sortable(texts: list[str]) -> list[Any]:
    """Keys to sort texts by.

    By value if all are whole numbers, else by text without regard to case.
    """
    return [int(t) for t in texts] if all(t.isdecimal() for t in texts) else [t.casefold() for t in texts]


def _arrow(keys: list[Any]) -> pa.Array:
    """The keys as Arrow.

    `pa.array` of a list first imports pandas, which takes longer than sorting.
    """
    if keys and isinstance(keys[0], int):
        return pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(np.array(keys, np.int64))])
    texts = [k.encode("utf-8", "surrogatepass") for k in keys]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return pa.Array.from_buffers(
        pa.large_binary(), len(keys), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    )


class TableView(View):
    """A view with a table (`rowTable` in `js/table.js`).

    What a person sets there are the traits `sort`, `filters`, `search` and `cursor`.
    """

    sort = traitlets.Unicode("").tag(sync=True)
    """The column that the rows are sorted by, with "-" in front for descending; empty: their own order."""
    filters = traitlets.Dict().tag(sync=True)
    """Facet -> value that the rows must have; a facet that is absent or empty lets all through."""
    search = traitlets.Unicode("").tag(sync=True)
    """Text that the rows must contain, whatever the case."""
    cursor = traitlets.Int(0).tag(sync=True)
    """The selected row's place in the order shown, from 0.

    Another order keeps the same row selected if it is still shown.
    """
    count = traitlets.Int(0, help="rows that pass the filters").tag(sync=True)
    total = traitlets.Int(0, help="all rows").tag(sync=True)
    version = traitlets.Int(
        0, help="changes whenever other rows, or other text in them, are to be shown"
    ).tag(sync=True)
    drawn = traitlets.Int(0, help="changes whenever the page is to be built again, with other facets").tag(
        sync=True
    )
    head = traitlets.Dict(help="the first rows, as `on_page` answers").tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List(
        help="name, width, numeric, and the facet's values with their counts"
    ).tag(sync=True)
    missing = traitlets.Unicode(help="why there are no rows at all, and how to get some").tag(sync=True)

    def __init__(
        self,
        rows: Rows,
        widths: Mapping[str, float | str] | None = None,
        uncounted: Sequence[str] = (),
        lasting: Sequence[str] = (),
        **traits: Any,
    ) -> None:
        """Show rows.

        Args:
            rows: all rows.
            widths: column -> its share of the width (1 by default), or its width in CSS; 0: not shown until
                a person asks for it.
            uncounted: facets shown without counts.
            lasting: facets that "clear" on the page leaves as they are.
            traits: values of the view's traits.
        """
        self.rows = rows
        self.order = np.arange(len(rows))
        self._widths, self._uncounted, self._lasting = dict(widths or {}), set(uncounted), set(lasting)
        super().__init__(columns=self._heads(), count=len(rows), total=len(rows), **traits)
        self.head = self.on_page(0, HEAD_ROWS)

    def _heads(self) -> list[dict[str, Any]]:
        rows = self.rows
        return [
            {
                "name": name,
                "width": self._widths.get(name, 1),
                "numeric": rows.numeric(name),
                "lasting": name in self._lasting,
                "values": (
                    [[v, None if name in self._uncounted else n] for v, n in rows.values(name)]
                    if name in rows.facets
                    else None
                ),
            }
            for name in rows.names
        ]

    def replace(self, rows: Rows) -> None:
        """Show other rows of the same columns and facets.

        Sort, filters and search stay.
        """
        self.rows = rows
        with self.hold_sync():
            self.columns, self.total = self._heads(), len(rows)
            self.arrange()
            self.drawn += 1

    @property
    def row(self) -> int | None:
        """The number of the selected row among all rows.

        None: no row is shown.
        """
        return int(self.order[min(self.cursor, len(self.order) - 1)]) if len(self.order) else None

    @property
    def kept(self) -> np.ndarray | None:
        """One boolean for each row.

        Whether the rest of the view shows it (None: all). For subclasses.
        """
        return None

    def arrange(self) -> None:
        """Order the rows again; the page then asks for those in sight."""
        before = self.row
        self.order = self.rows.order(self.sort, self.filters, self.search, self.kept)
        at = np.flatnonzero(self.order == before) if before is not None else self.order[:0]
        with self.hold_sync():
            self.count = len(self.order)
            self.cursor = int(at[0]) if len(at) else 0
            self.version += 1
            self.head = self.on_page(0, HEAD_ROWS)

    def on_page(self, start: int, count: int) -> dict[str, Any]:
        """Rows in the order shown, from place `start` on."""
        start = max(0, int(start))
        shown = self.order[start : start + min(int(count), MAX_PAGE_ROWS)]
        return {
            "start": start,
            "version": self.version,
            "rows": [[self.rows.cell(name, i) for name in self.rows.names] for i in shown],
        }

    @traitlets.validate("sort")
    def _known(self, proposal: Any) -> str:
        name = proposal["value"]
        if name and name.removeprefix("-") not in self.rows.names:
            raise traitlets.TraitError(
                f"cannot sort by {name!r}: the columns are {', '.join(self.rows.names)} (with - in front:"
                " descending)"
            )
        return name

    @traitlets.validate("filters")
    def _facets(self, proposal: Any) -> dict[str, Any]:
        unknown = set(proposal["value"]) - set(self.rows.facets)
        if unknown:
            raise traitlets.TraitError(
                f"cannot filter by {', '.join(sorted(unknown))}: the facets are {', '.join(self.rows.facets)}"
            )
        return proposal["value"]

    @traitlets.observe("sort", "filters", "search")
    def _changed(self, _: Any) -> None:
        self.arrange()
