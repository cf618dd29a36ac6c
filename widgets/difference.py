"""Where two answers differ, in one line that begins with it."""

from __future__ import annotations

import json
from os.path import commonprefix

from looptool_kit.core.samples import Label
from looptool_kit.core.toolcalls import Answer
from looptool_kit.widgets.detail import aligned

_MAX_COMMON = 12
"""Characters that two values may begin alike with before these are left out."""
_KEPT = 6
"""Of those, how many stay, so that a word is recognised."""
_NOTHING = "(nothing)"


def difference(label: Label | Answer, prediction: Label | Answer) -> str:
    """What differs between label and prediction, the label's first.

    Empty: nothing. Of lists only the items that one of them lacks; of long texts only what follows their
    common beginning.
    """
    said = []
    for pair in aligned(label, prediction):
        mine, other = pair["label"], pair["prediction"]
        if mine != other:
            said.append(f"{_tool(mine)} → {_tool(other)}")
            continue
        changed = [
            f"{name}: {_values(ours, theirs)}" for name, ours, theirs, note in pair["rows"] if note != "same"
        ]
        if changed:
            said.append("; ".join(changed))
    replies = _reply(label), _reply(prediction)
    if replies[0] != replies[1]:
        said.append(" → ".join(_beyond(*replies)))
    return "; ".join(said)


def _tool(name: str | None) -> str:
    return name or "no call"


def _reply(answer: Label | Answer) -> str:
    text = answer.reply if isinstance(answer, Label) else answer.text
    return f"“{text}”" if text.strip() else "no reply"


def _values(ours: str, theirs: str) -> str:
    """Two arguments as JSON, empty where there is none."""
    if not ours or not theirs:
        return f"{ours or _NOTHING} → {theirs or _NOTHING}"
    first, second = json.loads(ours), json.loads(theirs)
    if isinstance(first, list) and isinstance(second, list):
        gone, come = [x for x in first if x not in second], [x for x in second if x not in first]
        if gone or come:
            return f"{_items(gone)} → {_items(come)}"
    return " → ".join(_beyond(ours, theirs))


def _items(items: list[object]) -> str:
    return ", ".join(json.dumps(x, ensure_ascii=False) for x in items) or _NOTHING


def _beyond(first: str, second: str) -> tuple[str, str]:
    same = len(commonprefix([first, second]))
    if same <= _MAX_COMMON:
        return first, second
    return f"…{first[same - _KEPT :]}", f"…{second[same - _KEPT :]}"
