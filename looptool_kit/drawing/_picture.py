"""A drawing as an image, where inline SVG is not shown."""

from __future__ import annotations

import html
import re
from base64 import b64encode
from xml.etree.ElementTree import Element, fromstring

from looptool_kit.drawing._svg import markup

_PAPER = {"fg": "#1f2328", "dim": "#57606a", "line": "#c4c9d1", "bg": "#fff"}
"""Values of the page's variables, which an image does not see: dark on a light ground, for any theme."""
_MARGIN = 6.0
"""Pixels of light ground around the drawing."""
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_VARIABLE = re.compile(r"var\(--lt-([a-z]+), ([^()]+)\)")


def picture(drawn: str) -> str:
    """A drawing as an HTML image, in fixed colours on light ground.

    JupyterLab removes inline SVG from a notebook that it does not trust, but shows images.
    """
    root = fromstring(drawn)
    name = root.get("aria-label", "")
    for node in list(root.iter()):
        _stripped(node)
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


def _stripped(node: Element) -> None:
    """Remove what an image has no use for.

    Namespaces, tooltips, and attributes for the page.
    """
    node.tag = node.tag.removeprefix(_NAMESPACE)
    for title in node.findall(f"{_NAMESPACE}title"):
        node.remove(title)
    for key, value in list(node.attrib.items()):
        if key.startswith(("data-", "aria-")) or key in ("class", "role"):
            del node.attrib[key]
        else:
            node.set(key, _VARIABLE.sub(lambda m: _PAPER.get(m[1], m[2]), value))
