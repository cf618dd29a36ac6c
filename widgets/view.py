"""What all views share.

Messages between Python and page, scripts, style, and static HTML.

Python holds the data. The page asks for what it shows, and tells what the person did. All that a person sets
(sort, filter, threshold, cursor) is a synced trait, so that a reloaded page finds it unchanged. Text of
samples and models reaches the page as text only. `js/types.d.ts` declares the traits and messages of each
view; `make lint-js` checks the pages with them.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files
from typing import Any

import anywidget

from looptool_kit.core.terminal import sign
from looptool_kit.run.folder import Run


@lru_cache
def script(*names: str) -> str:
    """The module that JupyterLab loads.

    It is `common.js`, then the named files of `js/`, the last of which ends with `export default { render }`.
    """
    return "\n".join(_read(f"{name}.js") for name in ("common", *names))


@lru_cache
def style() -> str:
    """The style sheet of all views.

    JupyterLab's own variables, so light and dark come with the theme.
    """
    return _read("style.css")


def _read(name: str) -> str:
    return files(__package__).joinpath("js", name).read_text(encoding="utf-8")


class View(anywidget.AnyWidget):
    """A view.

    The page's `ask(model, "page", {...})` is answered by the method `on_page(...)`.
    """

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._received)

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        values = dict(content)
        request, kind = values.pop("req", None), str(values.pop("type", ""))
        try:
            answer = getattr(self, f"on_{kind}")(**values)
        except Exception as error:  # noqa: BLE001 - the page must hear of it: an error in a callback is shown nowhere else
            answer = {"error": f"{type(error).__name__}: {error}"}
        self.send({"req": request, **(answer or {})})

    def static_html(self) -> str:
        """The view as HTML without scripts, for pages without a kernel."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**(data or {}), "text/html": self.static_html()}, metadata


def html_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> str:
    """A plain HTML table, every cell escaped."""
    head = "".join(f"<th>{html.escape(c)}</th>" for c in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(plain(str(v)))}</td>" for v in row) + "</tr>" for row in rows
    )
    caption = f"<caption>{html.escape(caption)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def read_only_note(run: Run) -> str:
    """Why nothing can be decided on a run, empty where it can."""
    if not run.read_only:
        return ""
    return f"This run was opened read-only. To decide, open it with Run.open({str(run.path)!r})."


def plain(text: str) -> str:
    """Text with its control characters made visible.

    So no escape sequence and no change of writing direction takes effect.
    """
    return _UNSEEN.sub(sign, text)


_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
