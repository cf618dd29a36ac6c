"""A view below the map is not closed over what a person has typed in it."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("anywidget")

from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets import LoopMap  # noqa: E402


@pytest.mark.parametrize(
    ("view", "trait", "typed"),
    [
        ("DisagreementView", "notes", {"a": "half a thought"}),
        ("DisagreementView", "drafts", {"a": "half a label"}),
        ("ExpansionView", "drafts", {"a": {"request": "half", "label": ""}}),
    ],
)
@pytest.mark.parametrize("leave", [("close", {}), ("open", {"view": "ProbeView"})])
def test_what_is_typed_below_the_map_is_not_closed(
    run: Run, view: str, trait: str, typed: dict[str, Any], leave: tuple[str, dict[str, str]]
) -> None:
    loop = LoopMap(run)
    loop.on_open(view)
    below = loop.opened
    setattr(below, trait, typed)
    kind, values = leave
    act = getattr(loop, f"on_{kind}")
    with pytest.raises(ValueError, match="not saved"):
        act(**values)
    assert loop.opened is below
    setattr(below, trait, {"a": ""} if trait == "notes" else {})
    act(**values)
    assert loop.opened is not below
