"""Sankey diagrams."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element

from looptool_kit.drawing._svg import INK, SERIES, markup, put, svg, write

_GREY = SERIES[5]
_BAR, _GAP, _TOP, _EDGE = 11.0, 22.0, 26.0, 8.0
"""Width of a bar, space above a bar (its label), above the first bar, and at the other edges."""
_COLUMN, _LABEL = 92.0, 96.0
"""Least distance of two columns, and room for the labels of the last one."""


class Node(NamedTuple):
    """A bar of a Sankey diagram.

    Its height is the larger of what flows in and out, or `size` where nothing flows.
    """

    name: str
    """Unique; in `data-node`."""
    label: str
    layer: int
    """Column, from 0. Within a column, nodes stand in the order in which they are given."""
    colour: str = _GREY
    size: int = 0
    about: str = ""
    """Tooltip."""


class Link(NamedTuple):
    """A ribbon between two nodes of different columns."""

    source: str
    target: str
    n: int
    """Samples."""
    colour: str = _GREY


class _Layout(NamedTuple):
    """Where everything stands, in pixels."""

    nodes: dict[str, Node]
    links: list[Link]
    """Those that are drawn: between known nodes, ordered by source and target."""
    total: dict[str, int]
    """Samples of each node."""
    y: dict[Hashable, float]
    """Top of each bar, by its node's name, and of each passage, by (number of the link, column)."""
    unit: float
    """Height of one sample."""
    step: float
    """Distance of two columns."""
    height: float

    def x(self, layer: int) -> float:
        return _EDGE + layer * self.step


def sankey(
    nodes: Sequence[Node], links: Sequence[Link], title: str, width: float = 960, height: float = 360
) -> str:
    """Columns of bars joined by ribbons, widths in proportion to the counts.

    Bars carry `data-node`, ribbons `data-source` and `data-target`; both `data-count`. The drawing may become
    wider and higher than `width` and `height`, so that columns and labels have room. A ribbon that skips
    columns passes below their bars.
    """
    columns = max((n.layer for n in nodes), default=0) + 1
    width = max(width, _COLUMN * columns)
    layout = _layout(nodes, links, columns, (width - 2 * _EDGE - _LABEL) / max(1, columns - 1), height)
    root = svg(title, width, layout.height, {"class": "lt-sankey", "role": "group"})
    _ribbons(root, layout)
    for node in nodes:
        if node.name in layout.y:
            _bar(root, layout, node)
    return markup(root)


def _layout(
    nodes: Sequence[Node], links: Sequence[Link], columns: int, step: float, height: float
) -> _Layout:
    by_name, order = {n.name: n for n in nodes}, {n.name: i for i, n in enumerate(nodes)}
    drawn = [x for x in links if x.n and x.source in order and x.target in order]
    drawn.sort(key=lambda x: (order[x.source], order[x.target]))
    into = {n.name: sum(x.n for x in drawn if x.target == n.name) for n in nodes}
    out = {n.name: sum(x.n for x in drawn if x.source == n.name) for n in nodes}
    total = {n.name: max(into[n.name], out[n.name], n.size) for n in nodes}
    # What stands in a column: (name, samples, space above).
    stacks: list[list[tuple[Hashable, int, float]]] = [
        [(n.name, total[n.name], _GAP) for n in nodes if n.layer == c and total[n.name]]
        for c in range(columns)
    ]
    for i, link in enumerate(drawn):
        for c in range(by_name[link.source].layer + 1, by_name[link.target].layer):
            stacks[c].append(((i, c), link.n, 4.0))
    filled = [(s, sum(n for _, n, _ in s)) for s in stacks if s]
    unit = min(((height - _TOP - _EDGE - sum(g for *_, g in s[1:])) / n for s, n in filled), default=1.0)
    # With many bars in a column their spaces leave nothing; then the drawing grows.
    unit = max(unit, min((60 / n for _, n in filled), default=1.0))
    place: dict[Hashable, float] = {}
    for stack in stacks:
        y = _TOP - _GAP
        for name, n, above in stack:
            y += above if y >= _TOP else _GAP
            place[name] = y
            y += max(2.0, n * unit)
            height = max(height, y + _EDGE)
    return _Layout(by_name, drawn, total, place, unit, step, height)


def _ribbons(root: Element, layout: _Layout) -> None:
    group = put(root, "g")
    order = {name: i for i, name in enumerate(layout.nodes)}
    # Ribbons leave a bar in the order of their targets, and enter one in the order of their sources.
    leaves, enters = dict(layout.y), dict(layout.y)
    starts = {}
    for i, link in sorted(enumerate(layout.links), key=lambda pair: order[pair[1].target]):
        starts[i] = leaves[link.source]
        leaves[link.source] += link.n * layout.unit
    for i, link in enumerate(layout.links):
        source, target = layout.nodes[link.source], layout.nodes[link.target]
        # (from x, to x, y) of its level pieces: the end of a bar, passages as wide as a bar, the start of a
        # bar.
        level = [(0.0, layout.x(source.layer) + _BAR, starts[i])]
        for c in range(source.layer + 1, target.layer):
            level.append((layout.x(c), layout.x(c) + _BAR, layout.y[i, c]))
        level.append((layout.x(target.layer), 0.0, enters[link.target]))
        enters[link.target] += link.n * layout.unit
        facts = {
            "class": "lt-flow",
            "data-source": link.source,
            "data-target": link.target,
            "data-count": link.n,
        }
        put(
            group,
            "path",
            facts,
            about=f"{source.label} to {target.label}: {_samples(link.n)}",
            d=_outline(level, max(1.5, link.n * layout.unit)),
            style=f"fill:{link.colour};fill-opacity:.38",
        )


def _outline(level: Sequence[tuple[float, float, float]], thick: float) -> str:
    """A ribbon's outline.

    Along the upper sides of its level pieces, and back along the lower ones.
    """
    forth, back = [], []
    for (_, x0, y0), (x1, end, y1) in zip(level, level[1:], strict=False):
        half = (x0 + x1) / 2
        forth.append(
            f"C{half:.1f},{y0:.1f} {half:.1f},{y1:.1f} {x1:.1f},{y1:.1f}" + (f"H{end:.1f}" if end else "")
        )
        back.append(
            (f"H{x1:.1f}" if end else "")
            + f"C{half:.1f},{y1 + thick:.1f} {half:.1f},{y0 + thick:.1f} {x0:.1f},{y0 + thick:.1f}"
        )
    (_, x, y), (_, _, low) = level[0], level[-1]
    return f"M{x:.1f},{y:.1f}{''.join(forth)}V{low + thick:.1f}{''.join(reversed(back))}Z"


def _bar(root: Element, layout: _Layout, node: Node) -> None:
    total, x, y = layout.total[node.name], layout.x(node.layer), layout.y[node.name]
    words = f"{node.label}: {_samples(total)}" + (f". {node.about}" if node.about else "")
    facts = {"class": "lt-node", "data-node": node.name, "data-count": total}
    group = put(root, "g", facts, about=words)
    tall, look = max(2.0, total * layout.unit), f"fill:{node.colour}"
    put(group, "rect", x=x, y=y, width=_BAR, height=tall, rx=1.5, style=look)
    halo = "paint-order:stroke;stroke:var(--lt-bg, transparent);stroke-width:3px;stroke-linejoin:round"
    write(group, x, y - 8, f"{node.label} {total:,}").set("style", f"fill:{INK};{halo}")


def _samples(count: int) -> str:
    return f"{count:,} sample{'' if count == 1 else 's'}"
