"""A self-contained HTML page from a template of this folder.

It asks no host for anything, and what a model wrote stays text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from looptool_kit.core.terminal import duration
from looptool_kit.report import figures
from looptool_kit.report.figures import visible


def render_template(template: str, charts: Mapping[str, figures.Figure], **values: Any) -> str:
    """One of the package's pages as text, filled with `values`.

    `charts` maps an element's id to the figure that is drawn in it.
    """
    import plotly.offline

    return _template(template).render(
        charts=_script_json(charts), plotly=plotly.offline.get_plotlyjs(), **values
    )


@lru_cache
def _template(name: str) -> Any:
    import jinja2

    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda v: visible(v) if isinstance(v, str) and not hasattr(v, "__html__") else v,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.filters.update(
        percent=_percent,
        signed=_signed,
        duration=duration,
        p=_p,
        words=lambda text: str(text).replace("_", " "),
    )
    return env.get_template(name)


def _script_json(value: Any) -> Any:
    """JSON that may stand inside a <script>.

    No character of it can end the element or open a comment.
    """
    import markupsafe

    text = json.dumps(value, ensure_ascii=True, allow_nan=False)
    return markupsafe.Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _signed(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
