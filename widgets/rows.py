"""A table of many rows.

Python keeps columns and order, `js/table.js` asks for the rows in sight.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import traitlets

from looptool_kit.widgets.columns import Coded, Numbers, Words, members, sortable
from looptool_kit.widgets.view import View

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
        self._columns: dict[str, Numbers | Words] = {
            name: Numbers(v) if isinstance(v, np.ndarray) and v.dtype.kind in "biuf" else Words(v)
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
        self._listed: dict[str, list[str]] = {}
        self._length = next(iter(lengths.values()), 0)

    def __len__(self) -> int:
        return self._length

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return list(self._columns)

    def numeric(self, name: str) -> bool:
        """Whether the column holds numbers."""
        return isinstance(self._columns[name], Numbers)

    def cell(self, name: str, row: int) -> str:
        """A cell as it is shown."""
        return self._columns[name].show(row)

    def full(self, name: str, row: int) -> str:
        """A cell in full, however long."""
        column = self._columns[name]
        coded = isinstance(column, Numbers | Coded)
        return column.show(row) if coded else ", ".join(members(column.values[row]))

    def recode(self, name: str, codes: np.ndarray, names: Sequence[str | tuple[str, ...]]) -> None:
        """Give a column other values.

        `names[codes[i]]` for row i, sorted as `names` are. All names are values of the facet, at once.
        """
        self._columns[name] = Coded(codes, names)
        self._unsort(name)

    def reword(self, name: str, values: Sequence[Any]) -> None:
        """Give a column other words; a search reads the rows again."""
        self._columns[name] = Words(values)
        self._unsort(name)
        self._texts = self._search = None

    def _unsort(self, name: str) -> None:
        for sort in (name, f"-{name}"):
            self._sorted.pop(sort, None)
        self._listed.pop(name, None)

    def values(self, facet: str, within: np.ndarray | None = None) -> list[tuple[str, int]]:
        """A facet's most common values, by name, with their counts.

        With `within`, one boolean for each row, the counts are of these rows.
        """
        column = self._columns[facet]
        if facet not in self._listed:
            counts = column.counts()
            most = sorted(counts, key=lambda v: -counts[v])[:MAX_FACET_VALUES]
            keys = dict(zip(most, sortable(most), strict=True))
            self._listed[facet] = sorted(most, key=keys.__getitem__)
        counts = column.counts(within)
        return [(v, counts.get(v, 0)) for v in self._listed[facet]]

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
        mask = self.passing(filters, search, keep)
        if not sort:
            return np.flatnonzero(mask)
        by = self._sorted_by(sort)
        return by[mask[by]]

    def passing(
        self, filters: Mapping[str, Any] | None = None, search: str = "", keep: np.ndarray | None = None
    ) -> np.ndarray:
        """One boolean for each row: whether it is shown (see `order`)."""
        mask = np.ones(len(self), bool) if keep is None else keep.copy()
        for name, value in (filters or {}).items():
            if value not in ("", None):
                mask &= self._columns[name].holds(str(value))
        if search.strip():
            mask &= self._containing(search.strip().casefold())
        return mask

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
        rows, kept = self.rows, self.kept

        def counted(facet: str) -> list[list[Any]]:
            # Within the other filters: as many rows come when this value is chosen.
            others = {name: value for name, value in self.filters.items() if name != facet}
            found = rows.values(facet, rows.passing(others, self.search, kept))
            return [[v, None if facet in self._uncounted else n] for v, n in found]

        return [
            {
                "name": name,
                "width": self._widths.get(name, 1),
                "numeric": rows.numeric(name),
                "lasting": name in self._lasting,
                "closed": self.closed.get(name, ""),
                "values": counted(name) if name in rows.facets and name not in self.closed else None,
            }
            for name in rows.names
        ]

    def replace(self, rows: Rows) -> None:
        """Show other rows of the same columns and facets.

        Sort, filters and search stay.
        """
        self.rows = rows
        with self.hold_sync():
            self.total = len(rows)
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

    @property
    def closed(self) -> Mapping[str, str]:
        """Facets that cannot be used now, and why.

        For subclasses.
        """
        return {}

    def arrange(self) -> None:
        """Order the rows again; the page then asks for those in sight."""
        before = self.row
        self.order = self.rows.order(self.sort, self.filters, self.search, self.kept)
        at = np.flatnonzero(self.order == before) if before is not None else self.order[:0]
        with self.hold_sync():
            self.columns = self._heads()
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
