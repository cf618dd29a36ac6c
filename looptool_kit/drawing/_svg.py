"""SVG elements, axes and colours that all charts share.

A drawing is an element tree, so that all text in it is escaped. It holds no scripts. Colours are variables of
`style.css`, with values for pages without that style sheet. They keep a distance for colour-blind eyes
(deuteranopia and protanopia simulated after Machado 2009) on light and dark ground.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, tostring

from looptool_kit.core.records import State
from looptool_kit.core.terminal import visible

STATE_COLOURS: dict[State, str] = {
    "mastered": "var(--lt-mastered, #2484c6)",
    "borderline": "var(--lt-borderline, #c48a00)",
    "failed": "var(--lt-failed, #d0405a)",
}
SERIES = ("#2484c6", "#d0405a", "#c48a00", "#1d9a7a", "#9a62c7", "#8a8f98")
"""Blue, red, amber, green, purple, grey."""
INK, DIM, RULE = "var(--lt-fg, currentColor)", "var(--lt-dim, currentColor)", "var(--lt-line, #8888)"
"""Text, secondary text, and lines."""


def svg(title: str, width: float, height: float, attributes: Mapping[str, object]) -> Element:
    """An empty drawing with its name for screen readers."""
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:g} {height:g}",
            "width": f"{width:g}",
            "height": f"{height:g}",
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
    """Add an element.

    Args:
        parent: what it is added to.
        tag: its SVG name.
        more: attributes whose names cannot be written as Python names.
        text: its text.
        about: its tooltip; replaces the text.
        attributes: numbers are rounded, `_` in a name becomes `-`.
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


def axis_x(
    root: Element,
    marks: Sequence[tuple[float, str]],
    span: tuple[float, float],
    *,
    label: str = "",
    middle: float = 0,
) -> None:
    """Add a horizontal axis: ticks under the plot, without grid lines.

    Args:
        root: the drawing.
        marks: (x, text) of each tick.
        span: top and bottom of the plot.
        label: the axis' name.
        middle: x of the name.
    """
    for x, text in marks:
        put(root, "line", x1=x, y1=span[1], x2=x, y2=span[1] + 4, style=f"stroke:{RULE}")
        write(root, x, span[1] + 12, text, anchor="middle", fill=DIM)
    if label:
        write(root, middle, span[1] + 26, label, anchor="middle", fill=DIM)


def axis_y(
    root: Element,
    marks: Sequence[tuple[float, str]],
    span: tuple[float, float],
    *,
    label: str = "",
    middle: float = 0,
) -> None:
    """Add a vertical axis with grid lines.

    Args:
        root: the drawing.
        marks: (y, text) of each tick.
        span: left and right of the plot.
        label: the axis' name.
        middle: y of the name.
    """
    for y, text in marks:
        put(root, "line", x1=span[0], y1=y, x2=span[1], y2=y, style=f"stroke:{RULE};stroke-width:.6")
        write(root, span[0] - 5, y, text, anchor="end", fill=DIM)
    if label:
        write(root, 9, middle, label, anchor="middle", fill=DIM, transform=f"rotate(-90 9 {middle:g})")


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """About `most` round numbers at most, from low to high."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else [0.0]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in (1, 2, 2.5, 5, 10) if s * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def number(value: float) -> str:
    """A number for an axis."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def short(text: str, longest: int = 32) -> str:
    """A name that fits beside a chart, cut after `longest` characters."""
    text = visible(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def finite(*values: float) -> bool:
    """Whether all values are finite numbers."""
    return all(isinstance(v, int | float) and math.isfinite(v) for v in values)


def _named(attributes: Mapping[str, object]) -> dict[str, str]:
    return {
        (k if k == "viewBox" else k.replace("_", "-")): (
            f"{round(v, 2):g}" if isinstance(v, float) else visible(str(v))
        )
        for k, v in attributes.items()
    }
