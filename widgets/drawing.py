"""Drawings as SVG text, the same in a live view and in a notebook without kernel.

Built as an element tree, so that all text in them is escaped; no scripts. Colours are the variables of
`style.css` with values that stand where there is no style sheet, and that keep a distance for colour-blind
eyes (deuteranopia and protanopia simulated after Machado 2009) on light and dark ground. Elements that a page
reacts to carry `data-*` attributes and a `<title>`; it is the page that makes buttons of them. What stands in
a notebook without kernel is a `picture`: JupyterLab takes inline SVG out of a notebook that it does not
trust.
"""

from __future__ import annotations

import html
import math
import re
from base64 import b64encode
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from looptool_kit.core.stats import Clustered
from looptool_kit.report.figures import visible

STATES = {
    "mastered": "var(--lt-mastered, #2484c6)",
    "borderline": "var(--lt-borderline, #c48a00)",
    "failed": "var(--lt-failed, #d0405a)",
}
SERIES = ("#2484c6", "#d0405a", "#c48a00", "#1d9a7a", "#9a62c7", "#8a8f98")
INK, DIM, RULE = "var(--lt-fg, currentColor)", "var(--lt-dim, currentColor)", "var(--lt-line, #8888)"
_PAPER = {"fg": "#1f2328", "dim": "#57606a", "line": "#c4c9d1", "bg": "#fff"}
"""The page's variables for a picture, which cannot see them: dark on a light ground of its own, for any
theme.
"""
_MARGIN = 6.0
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_DASHES = ("", "6 3", "2 2", "8 3 2 3", "1 3", "10 4")


class Node(NamedTuple):
    """A bar of a Sankey diagram; its height is the larger of what flows in and out, or `size` where nothing
    flows.
    """

    name: str
    """Unique; in `data-node`."""
    label: str
    layer: int
    """Column, from 0. Within a column, nodes stand in the order in which they are given."""
    colour: str = SERIES[5]
    size: int = 0
    about: str = ""
    """Tooltip."""


class Link(NamedTuple):
    """A ribbon between two nodes of different columns."""

    source: str
    target: str
    n: int
    """Samples."""
    colour: str = SERIES[5]


def svg(title: str, width: float, height: float, attributes: Mapping[str, object]) -> Element:
    """An empty drawing with its name for screen readers."""
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
        }
        | {
            "role": "img",
            "aria-label": visible(title),
            "style": "font:11px system-ui,sans-serif;max-width:100%;height:auto",
        }
        | _named(attributes),
    )
    SubElement(root, "title").text = visible(title)
    return root


def put(
    parent: Element,
    tag: str,
    more: Mapping[str, object] | None = None,
    *,
    text: str = "",
    about: str = "",
    **attributes: object,
) -> Element:
    """Add an element: numbers rounded, `_` in names read as `-`, `text` as text, `about` as tooltip, `more`
    for names that are no Python names.
    """
    node = SubElement(parent, tag, _named({**attributes, **(more or {})}))
    if about:
        SubElement(node, "title").text = visible(about)
    elif text:
        node.text = visible(text)
    return node


def write(
    parent: Element,
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    fill: str = INK,
    **attributes: object,
) -> Element:
    """Add a line of text; `y` is its middle."""
    return put(
        parent,
        "text",
        attributes,
        x=x,
        y=y,
        text=text,
        text_anchor=anchor,
        dominant_baseline="central",
        style=f"fill:{fill}",
    )


def markup(root: Element) -> str:
    """The drawing as text, for HTML or a file."""
    return tostring(root, encoding="unicode")


def picture(drawn: str) -> str:
    """A drawing as an HTML image, which shows in an untrusted notebook too; in fixed colours on a light
    ground.
    """
    root = fromstring(drawn)
    name = root.get("aria-label", "")
    for node in list(root.iter()):
        node.tag = node.tag.removeprefix(_NAMESPACE)
        for title in node.findall(f"{_NAMESPACE}title"):
            node.remove(title)
        for key, value in list(node.attrib.items()):
            if key.startswith(("data-", "aria-")) or key in ("class", "role"):
                del node.attrib[key]
            else:
                node.set(key, _VARIABLE.sub(lambda m: _PAPER.get(m[1], m[2]), value))
    width, height = (float(n) + 2 * _MARGIN for n in root.get("viewBox", "0 0 0 0").split()[2:])
    place = {"x": f"{-_MARGIN:g}", "y": f"{-_MARGIN:g}", "width": f"{width:g}", "height": f"{height:g}"}
    size = {"width": place["width"], "height": place["height"], "viewBox": " ".join(place.values())}
    root.attrib = {"xmlns": _NAMESPACE.strip("{}"), **size, "style": "font:11px system-ui,sans-serif"}
    root.insert(0, Element("rect", {**place, "rx": "4", "style": f"fill:{_PAPER['bg']}"}))
    data = b64encode(markup(root).encode()).decode()
    look = 'style="max-width:100%;height:auto"'
    return (
        f'<div><img alt="{html.escape(name)}" width="{width:.0f}" {look}'
        f' src="data:image/svg+xml;base64,{data}"></div>'
    )


_VARIABLE = re.compile(r"var\(--lt-([a-z]+), ([^()]+)\)")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """At most about `most` round numbers from low to high."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else [0.0]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    return [
        round(i * step, 12) for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]


def shown(value: float) -> str:
    """A number for an axis."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]],
    title: str,
    y_label: str = "",
    x_label: str = "step",
    y_range: tuple[float, float] | None = None,
    width: float = 420,
    height: float = 200,
) -> str:
    """A line chart: `series` maps a name to points (x, y); points that are no finite numbers interrupt the
    line. `y_range` None: from the data.
    """
    root = svg(title, width, height, {"class": "lt-lines"})
    finite = [(x, y) for points in series.values() for x, y in points if _finite(x, y)]
    xs, ys = [x for x, _ in finite] or [0.0, 1.0], [y for _, y in finite] or [0.0, 1.0]
    x0, x1 = min(xs), max(xs)
    y0, y1 = y_range or (min(ys), max(ys))
    if x0 == x1:
        x0, x1 = x0 - 0.5, x1 + 0.5
    if y0 == y1:
        y0, y1 = y0 - (abs(y0) or 1) / 10, y1 + (abs(y1) or 1) / 10
    elif y_range is None:
        y0, y1 = y0 - (y1 - y0) * 0.05, y1 + (y1 - y0) * 0.05
    named = len(series) > 1
    left, top, right, bottom = 52.0, 38.0 if named else 24.0, width - 10, height - 34

    def at(x: float, y: float) -> tuple[float, float]:
        return left + (x - x0) / (x1 - x0) * (right - left), bottom - (y - y0) / (y1 - y0) * (bottom - top)

    write(root, left, 10, title, font_weight="600")
    axis(
        root,
        [(at(x0, y)[1], shown(y)) for y in ticks(y0, y1)],
        (left, right),
        upright=True,
        label=y_label,
        middle=(top + bottom) / 2,
    )
    whole = [x for x in ticks(x0, x1, 6) if x == int(x)] or ticks(x0, x1, 6)
    axis(
        root,
        [(at(x, y0)[0], shown(x)) for x in whole],
        (top, bottom),
        label=x_label,
        middle=(left + right) / 2,
    )
    place = left
    for number, (name, points) in enumerate(series.items()):
        colour, dash = SERIES[number % len(SERIES)], _DASHES[number % len(_DASHES)]
        look = f"stroke:{colour};stroke-width:1.8;fill:none" + (f";stroke-dasharray:{dash}" if dash else "")
        path, pen, single = [], "M", []
        for i, (x, y) in enumerate(points):
            if not _finite(x, y):
                pen = "M"
                continue
            px, py = at(x, min(max(y, y0), y1))
            path.append(f"{pen}{px:.1f},{py:.1f}")
            if pen == "M" and (i + 1 == len(points) or not _finite(*points[i + 1])):
                single.append((px, py))
            pen = "L"
        if path:
            put(root, "path", d="".join(path), style=look, about=name, data_series=visible(name))
        for px, py in single:
            put(root, "circle", cx=px, cy=py, r=2.5, style=f"fill:{colour}", about=name)
        if named:
            put(root, "line", x1=place, y1=26, x2=place + 18, y2=26, style=look)
            write(root, place + 22, 26, name)
            place += 34 + 6.2 * len(visible(name))
    return markup(root)


def axis(
    root: Element,
    marks: Sequence[tuple[float, str]],
    span: tuple[float, float],
    *,
    upright: bool = False,
    label: str = "",
    middle: float = 0,
) -> None:
    """Ticks with grid lines. `marks`: (place, text). `span`: from where to where the grid lines go.
    `upright`: the y axis.
    """
    for place, text in marks:
        if upright:
            put(
                root,
                "line",
                x1=span[0],
                y1=place,
                x2=span[1],
                y2=place,
                style=f"stroke:{RULE};stroke-width:.6",
            )
            write(root, span[0] - 5, place, text, anchor="end", fill=DIM)
        else:
            put(root, "line", x1=place, y1=span[1], x2=place, y2=span[1] + 4, style=f"stroke:{RULE}")
            write(root, place, span[1] + 12, text, anchor="middle", fill=DIM)
    if upright:
        if label:
            write(root, 9, middle, label, anchor="middle", fill=DIM, transform=f"rotate(-90 9 {middle:g})")
    elif label:
        write(root, middle, span[1] + 26, label, anchor="middle", fill=DIM)


def sankey(
    nodes: Sequence[Node], links: Sequence[Link], title: str, width: float = 960, height: float = 360
) -> str:
    """Columns of bars joined by ribbons, widths in proportion to the counts.

    Bars carry `data-node`, ribbons `data-source` and `data-target`; both `data-count`. Columns are at least
    120 wide, so that the drawing may be wider than `width`, and it may be higher than `height`. A ribbon that
    skips columns passes them below their bars.
    """
    columns = max((n.layer for n in nodes), default=0) + 1
    width = max(width, 120.0 * columns)
    layer, order, label = (
        {n.name: n.layer for n in nodes},
        {n.name: i for i, n in enumerate(nodes)},
        {n.name: n.label for n in nodes},
    )
    known = [x for x in links if x.n and x.source in layer and x.target in layer]
    known.sort(key=lambda x: (order[x.source], order[x.target]))
    into = {n.name: sum(x.n for x in known if x.target == n.name) for n in nodes}
    out = {n.name: sum(x.n for x in known if x.source == n.name) for n in nodes}
    total = {n.name: max(into[n.name], out[n.name], n.size) for n in nodes}
    bar, gap, top, edge = 11.0, 22.0, 26.0, 8.0
    # What stands in a column: bars by name, and passages of ribbons by (number, column).
    stacks: list[list[tuple[Hashable, int, float]]] = [
        [(n.name, total[n.name], gap) for n in nodes if n.layer == c and total[n.name]]
        for c in range(columns)
    ]
    for i, link in enumerate(known):
        for c in range(layer[link.source] + 1, layer[link.target]):
            stacks[c].append(((i, c), link.n, 4.0))
    unit = min(
        ((height - top - edge - sum(g for *_, g in s[1:])) / sum(n for _, n, _ in s) for s in stacks if s),
        default=1.0,
    )
    unit = max(unit, min((60 / sum(n for _, n, _ in s) for s in stacks if s), default=1.0))
    place: dict[Hashable, float] = {}
    for stack in stacks:
        y = top - gap
        for name, n, above in stack:
            y += above if y >= top else gap
            place[name] = y
            y += max(2.0, n * unit)
            height = max(height, y + edge)
    root = svg(title, width, height, {"class": "lt-sankey", "role": "group"})
    step = (width - 2 * edge - 96) / max(1, columns - 1)
    leaves, enters = dict(place), dict(place)
    ribbons = put(root, "g")
    ends = {}
    for i, link in sorted(enumerate(known), key=lambda pair: order[pair[1].target]):
        ends[i] = leaves[link.source]
        leaves[link.source] += link.n * unit
    for i, link in enumerate(known):
        first, last = layer[link.source], layer[link.target]
        # (from x, to x, y) of its level pieces: the end of a bar, passages as wide as one, the start of a
        # bar.
        level = [(edge + c * step, edge + c * step + bar, place[i, c]) for c in range(first + 1, last)]
        level = [
            (0.0, edge + first * step + bar, ends[i]),
            *level,
            (edge + last * step, 0.0, enters[link.target]),
        ]
        enters[link.target] += link.n * unit
        words = f"{label[link.source]} to {label[link.target]}: {_samples(link.n)}"
        facts = {
            "class": "lt-flow",
            "data-source": link.source,
            "data-target": link.target,
            "data-count": link.n,
        }
        put(
            ribbons,
            "path",
            facts,
            about=words,
            d=_ribbon(level, max(1.5, link.n * unit)),
            style=f"fill:{link.colour};fill-opacity:.38",
        )
    for node in nodes:
        if node.name not in place:
            continue
        x, y = edge + node.layer * step, place[node.name]
        words = f"{node.label}: {_samples(total[node.name])}" + (f". {node.about}" if node.about else "")
        facts = {"class": "lt-node", "data-node": node.name, "data-count": total[node.name]}
        group = put(root, "g", facts, about=words)
        put(
            group,
            "rect",
            x=x,
            y=y,
            width=bar,
            height=max(2.0, total[node.name] * unit),
            rx=1.5,
            style=f"fill:{node.colour}",
        )
        halo = "paint-order:stroke;stroke:var(--lt-bg, transparent);stroke-width:3px;stroke-linejoin:round"
        write(group, x, y - 8, f"{node.label} {total[node.name]:,}").set("style", f"fill:{INK};{halo}")
    return markup(root)


def _ribbon(level: Sequence[tuple[float, float, float]], thick: float) -> str:
    there, back = [], []
    for (_, x0, y0), (x1, end, y1) in zip(level, level[1:], strict=False):
        half = (x0 + x1) / 2
        there.append(
            f"C{half:.1f},{y0:.1f} {half:.1f},{y1:.1f} {x1:.1f},{y1:.1f}" + (f"H{end:.1f}" if end else "")
        )
        back.append(
            (f"H{x1:.1f}" if end else "")
            + f"C{half:.1f},{y1 + thick:.1f} {half:.1f},{y0 + thick:.1f} {x0:.1f},{y0 + thick:.1f}"
        )
    (_, x, y), (_, _, low) = level[0], level[-1]
    return f"M{x:.1f},{y:.1f}{''.join(there)}V{low + thick:.1f}{''.join(reversed(back))}Z"


def heatmap(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float]],
    title: str,
    *,
    diverging: bool = False,
    width: float = 640,
) -> str:
    """A table of coloured cells with their numbers; `values[r][c]`. `diverging`: signed numbers, more in one
    colour and fewer in another.

    Cells that are not zero carry `data-row`, `data-column` and `data-value`.
    """
    most = max((abs(v) for line in values for v in line), default=0) or 1.0
    left = min(230.0, 14 + 6.4 * max((len(_short(r)) for r in rows), default=0))
    head = 26 + min(120.0, 4.6 * max((len(_short(c)) for c in columns), default=0))
    cell = min(64.0, max(30.0, (width - left - 70) / max(1, len(columns))))
    tall = 21.0
    root = svg(
        title,
        left + cell * len(columns) + 76,
        head + tall * len(rows) + 6,
        {"class": "lt-heat", "role": "group"},
    )
    write(root, 4, 9, title, font_weight="600")
    for c, name in enumerate(columns):
        x = left + cell * (c + 0.5)
        write(root, x, head - 8, _short(name), transform=f"rotate(-38 {x:g} {head - 8:g})")
    for r, name in enumerate(rows):
        y = head + tall * r
        write(root, left - 6, y + tall / 2, _short(name), anchor="end")
        for c, value in enumerate(values[r]):
            x = left + cell * c
            colour = SERIES[0] if diverging and value < 0 else SERIES[1] if diverging else SERIES[2]
            words = f"{value:+g}".replace("-", "−") if diverging else f"{value:g}"
            look = (
                f"fill:{colour};fill-opacity:{0.12 + 0.58 * abs(value) / most:.2f}"
                if value
                else f"fill:{RULE};fill-opacity:.12"
            )
            group = root
            if value:
                facts = {"class": "lt-cell", "data-row": r, "data-column": c, "data-value": f"{value:g}"}
                about = f"{name}, {columns[c]}: {words}"
                group = put(root, "g", facts, about=about)
            put(group, "rect", x=x + 1, y=y + 1, width=cell - 2, height=tall - 2, style=look)
            if value:
                write(group, x + cell / 2, y + tall / 2, words, anchor="middle")
    return markup(root)


def forest(rows: Sequence[tuple[str, Clustered]], title: str, x_label: str, width: float = 760) -> str:
    """A forest plot: for each name a difference with its interval, each random seed's own as a ring under it,
    and a line at zero.
    """
    tall, top = 34.0, 26.0
    left, right, bottom = (
        14 + 6.4 * max((len(_short(name, 44)) for name, _ in rows), default=0),
        width - 12,
        top + tall * len(rows),
    )
    reach = max([0.02, *(abs(v) for _, d in rows for v in (d.lo, d.hi, *d.by_seed))]) * 1.05

    def x_of(value: float) -> float:
        return left + (value / reach + 1) / 2 * (right - left)

    root = svg(title, width, bottom + 34, {"class": "lt-forest"})
    write(root, 4, 9, title, font_weight="600")
    axis(
        root,
        [(x_of(t), f"{t:+.0%}" if t else "0") for t in ticks(-reach, reach, 8)],
        (top, bottom),
        label=x_label,
        middle=(left + right) / 2,
    )
    put(root, "line", x1=x_of(0), y1=top, x2=x_of(0), y2=bottom, style=f"stroke:{DIM};stroke-dasharray:3 3")
    for number, (name, d) in enumerate(rows):
        y = top + tall * (number + 0.4)
        colour = SERIES[5] if d.lo <= 0 <= d.hi else SERIES[0] if d.lo > 0 else SERIES[1]
        write(root, left - 8, y, _short(name, 44), anchor="end")
        about = f"{name}: {d.difference:+.1%}, 95%: {d.lo:+.1%} to {d.hi:+.1%}"
        _interval(root, (x_of(d.lo), x_of(d.difference), x_of(d.hi)), y, 4.5, colour, about)
        for own in d.by_seed:
            put(
                root,
                "circle",
                cx=x_of(own),
                cy=y + 9,
                r=2.5,
                style=f"fill:none;stroke:{DIM}",
                about=f"one seed: {own:+.1%}",
            )
    return markup(root)


def intervals(
    rows: Sequence[tuple[str, Sequence[tuple[float, float, float] | None]]],
    columns: Sequence[str],
    title: str,
    width: float = 960,
) -> str:
    """Shares with their intervals, a panel from 0 to 1 for each column; `rows`: name, and (low, share, high)
    or None for each column.
    """
    tall, top, gap = 18.0, 34.0, 18.0
    left, bottom = 14 + 6.4 * max((len(_short(name)) for name, _ in rows), default=0), top + tall * len(rows)
    wide = (width - 8 - left) / max(1, len(columns)) - gap
    root = svg(title, width, bottom + 20, {"class": "lt-intervals"})
    for number, (name, _) in enumerate(rows):
        write(root, left - 8, top + tall * (number + 0.5), _short(name), anchor="end")
    for c, column in enumerate(columns):
        x0 = left + c * (wide + gap)
        write(root, x0, 20, column, font_weight="600")
        axis(root, [(x0 + t * wide, f"{t:g}") for t in (0, 0.5, 1)], (top, bottom))
        put(root, "rect", x=x0, y=top, width=wide, height=bottom - top, style=f"fill:none;stroke:{RULE}")
        for number, (name, shares) in enumerate(rows):
            if (share := shares[c]) is not None:
                low, value, high = share
                about = f"{name}, {column}: {value:.2f}, 95%: {low:.2f} to {high:.2f}"
                _interval(
                    root,
                    (x0 + low * wide, x0 + value * wide, x0 + high * wide),
                    top + tall * (number + 0.5),
                    3.5,
                    SERIES[0],
                    about,
                )
    return markup(root)


def _interval(
    root: Element, place: tuple[float, float, float], y: float, r: float, colour: str, about: str
) -> None:
    low, middle, high = place
    row = put(root, "g", about=about)
    put(row, "line", x1=low, y1=y, x2=high, y2=y, style=f"stroke:{colour};stroke-width:2")
    put(row, "circle", cx=middle, cy=y, r=r, style=f"fill:{colour}")


def _samples(count: int) -> str:
    return f"{count:,} sample{'' if count == 1 else 's'}"


def _short(text: str, longest: int = 32) -> str:
    text = visible(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _named(attributes: Mapping[str, object]) -> dict[str, str]:
    return {
        (k if k == "viewBox" else k.replace("_", "-")): (
            f"{round(v, 2):g}" if isinstance(v, float) else visible(str(v))
        )
        for k, v in attributes.items()
    }


def _finite(*values: float) -> bool:
    return all(isinstance(v, int | float) and math.isfinite(v) for v in values)


def histogram(
    edges: Sequence[float],
    counts: Mapping[str, Sequence[int]],
    title: str,
    x_label: str,
    width: float = 960,
    height: float = 210,
) -> str:
    """Stacked bars over a logarithmic axis; `edges`: the B + 1 bounds of B bins, positive; `counts`: state ->
    B counts, the first at the bottom.

    The first and last bin hold whatever lies beyond. The plot's place stands in `data-left`, `data-right`,
    `data-top`, `data-bottom`, the logarithms of the outer edges in `data-low`, `data-high`; each bin's
    rectangle has `data-bin` and its numbers as tooltip.
    """
    left, top, right, bottom = 48.0, 8.0, width - 8, height - 34
    low, high = math.log(edges[0]), math.log(edges[-1])
    place = {
        "data-left": left,
        "data-right": right,
        "data-top": top,
        "data-bottom": bottom,
        "data-low": repr(low),
        "data-high": repr(high),
    }
    root = svg(title, width, height, {"class": "lt-histogram", **place})
    sums = [sum(bars) for bars in zip(*counts.values(), strict=True)]
    most = max(sums, default=0) or 1

    def x_of(value: float) -> float:
        return left + (math.log(value) - low) / (high - low) * (right - left)

    def y_of(count: float) -> float:
        return bottom - count / most * (bottom - top)

    whole = [t for t in ticks(0, most, 4) if t == int(t)]
    axis(
        root,
        [(y_of(t), shown(t)) for t in whole],
        (left, right),
        upright=True,
        label="samples",
        middle=(top + bottom) / 2,
    )
    if edges[-1] < 8 * edges[0]:
        marks = ticks(edges[0], edges[-1], 10)
    else:
        powers = range(math.floor(math.log10(edges[0])), math.ceil(math.log10(edges[-1])) + 1)
        marks = [m * 10.0**p for p in powers for m in (1, 2, 5) if edges[0] <= m * 10.0**p <= edges[-1]]
    axis(root, [(x_of(t), shown(t)) for t in marks], (top, bottom), label=x_label, middle=(left + right) / 2)
    x = [x_of(edge) for edge in edges]
    base = [0] * len(sums)
    for state, bars in counts.items():
        parts = []
        for i, n in enumerate(bars):
            if n:
                floor, base[i] = y_of(base[i]), base[i] + n
                parts.append(
                    f"M{x[i] + 0.5:.1f},{floor:.1f}V{y_of(base[i]):.1f}H{x[i + 1] - 0.5:.1f}V{floor:.1f}Z"
                )
        if parts:
            put(
                root, "path", d="".join(parts), data_state=state, style=f"fill:{STATES.get(state, SERIES[5])}"
            )
    for i, total in enumerate(sums):
        if total:
            words = ", ".join(f"{bars[i]:,} {state}" for state, bars in counts.items() if bars[i])
            about = (
                f"{x_label} {edges[i]:.4g} to {edges[i + 1]:.4g}{' and above' if i + 1 == len(sums) else ''}:"
                f" {words}"
            )
            put(
                root,
                "rect",
                x=x[i],
                y=top,
                width=x[i + 1] - x[i],
                height=bottom - top,
                data_bin=i,
                style="fill:transparent",
                about=about,
            )
    return markup(root)
