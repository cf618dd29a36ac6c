"""A self-contained HTML page from a template of this folder.

It asks no host for anything, and what a model wrote stays text.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from looptool_kit.core.terminal import duration, visible


def render_template(template: str, **values: Any) -> str:
    """One of the package's pages as text, filled with `values`."""
    return str(_template(template).render(**values))


def drawn(svg: str) -> Any:
    """Mark a drawing as safe for a page.

    It is an element tree of this package, in which all text is escaped.
    """
    import markupsafe

    return markupsafe.Markup(svg)


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


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _signed(share: float) -> str:
    return f"{100 * share:+z.1f}".replace("-", "−")


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
