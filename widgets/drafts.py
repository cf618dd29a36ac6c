"""What a page had kept of half-written texts comes back to the view that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from looptool_kit.run.folder import Run
from looptool_kit.widgets.rows import TableView

UNSAVED = "What is changed in the form is not saved yet: save it (Ctrl+Enter) or cancel it first."


def is_unsaved(drafts: Mapping[str, Any], id: str, as_it_is: Any) -> bool:
    """Whether a draft differs from what it is a draft of."""
    return bool(drafts.get(id, as_it_is) != as_it_is)


def kept_at(run: Run | None, view: object, iteration: int | None = None) -> str:
    """Under which name a browser keeps the half-written texts of a view.

    Empty: of no run.
    """
    return f"{run.path.resolve()} {type(view).__name__} {iteration or ''}".rstrip() if run else ""


def is_text(value: object) -> bool:
    return isinstance(value, str)


def is_draft(value: object) -> bool:
    """Whether this is the edit of a child."""
    return (
        isinstance(value, dict) and set(value) == {"request", "label"} and all(map(is_text, value.values()))
    )


def restore_texts(
    view: TableView, texts: Mapping[str, object], place: Mapping[str, int], fits: Callable[[Any], bool]
) -> dict[str, Any]:
    """Give a view the texts that a page had kept.

    The first row with one is selected, unless a person has chosen a row.

    Args:
        view: its newer texts stay.
        texts: trait -> id -> text, as the page sent it.
        place: id -> row, of those that the view has.
        fits: whether a text has the form of one.
    """
    ids: dict[str, None] = {}
    for name, kept in texts.items():
        found = kept if isinstance(kept, dict) else {}
        good = {id: text for id, text in found.items() if id in place and fits(text)}
        setattr(view, name, {**good, **getattr(view, name)})
        ids |= dict.fromkeys(good)
    if not ids:
        return {}
    at = [k for k, i in enumerate(view.order) if i == place[next(iter(ids))]]
    if at and not (view.cursor or view.filters or view.search):
        view.cursor = at[0]
    more = f", in {len(ids)} rows" if len(ids) > 1 else ""
    return {"message": f"What you had half written is here again{more}."}
