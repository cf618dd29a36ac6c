"""Where two answers differ is said first, and what they have in common is left out."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("anywidget")

from looptool_kit.core.samples import Label, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import Answer  # noqa: E402
from looptool_kit.widgets.difference import difference  # noqa: E402

LONG = "the same long beginning of a text, and then "


def call(name: str = "f", **arguments: Any) -> Label:
    return Label(calls=(ToolCall(name=name, arguments=arguments),))


@pytest.mark.parametrize(
    ("label", "prediction", "said"),
    [
        (call(a=1, b=2), call(a=1, b=3), "b: 2 → 3"),
        (call(a=1), call(), "a: 1 → (nothing)"),
        (call(a=""), call(), 'a: "" → (nothing)'),
        (call(a=["mon", "tue", "sat"]), call(a=["mon", "tue", "thu"]), 'a: "sat" → "thu"'),
        (call(a=["mon"]), call(a=["mon", "tue"]), 'a: (nothing) → "tue"'),
        (call(a=["mon", "tue"]), call(a=["tue", "mon"]), 'a: ["mon", "tue"] → ["tue", "mon"]'),
        (call(a=LONG + "Oslo"), call(a=LONG + "Rome"), 'a: … then Oslo" → … then Rome"'),
        (call("f"), call("g"), "f → g"),
        (call("f"), Label(reply="Which one?"), "f → no call; no reply → “Which one?”"),
        (Label(reply="Yes."), Label(reply="No."), "“Yes.” → “No.”"),
        (call(a=1), call(a=1), ""),
    ],
)
def test_what_differs_is_said(label: Label, prediction: Label, said: str) -> None:
    assert difference(label, Answer.of(prediction)) == said
