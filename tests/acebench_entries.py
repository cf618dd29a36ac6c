"""Entries of our own in ACEBench's format; nothing of its data is kept here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.toolcalls import render_calls
from looptool_kit.stages.evaluate.acebench.labels import Entry

FERRY: dict[str, Any] = {
    "name": "Ferry.book",
    "description": "Book a ferry.",
    "parameters": {
        "type": "dict",
        "required": ["port", "seats"],
        "properties": {
            "port": {"type": "string", "description": "Where to."},
            "seats": {"type": "integer"},
            "price": {"type": "number"},
            "weight": {"type": "float"},
            "quiet": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["window", "upper deck"]}},
            "guest": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                "required": ["name"],
            },
            "cars": {
                "type": "array",
                "items": {"type": "object", "properties": {"plate": {"type": "string"}}},
            },
        },
    },
}
DISTRACTOR = {
    "name": "harbour_state",
    "description": "State of a harbour.",
    "arguments": {"type": "object", "properties": {"at": {"type": "float"}}},
}
QUESTION = (
    "user: Two seats to Lundey.\nFor Ann: soon.\n"
    'system: [Ferry.book(port="Lundey", seats=2, guest={"name": "A]nn(", "ok": true}), harbour_state()]\n'
    "system: Booked.\nuser: The same to Grimsey, please.\n"
)
ARGUMENTS: dict[str, Any] = {"port": "Grimsey North", "seats": 2, "price": 9.5, "weight": 1.5, "quiet": True}


def entry(truth: Any = None, category: str = "en/normal_atom_bool", **update: Any) -> Entry:
    truth = {"Ferry.book": ARGUMENTS} if truth is None else truth
    made = Entry("en/x_0", category, "en/x_0", QUESTION, (DISTRACTOR, FERRY), "Today is Sunday.", "", truth)
    return made._replace(**update)


def answer(*calls: dict[str, Any], name: str = "Ferry.book") -> str:
    return render_calls([ToolCall(name=name, arguments=c) for c in calls])


flat = st.one_of(st.text('a"](,=b 名', max_size=3), st.integers(-9, 9), st.booleans(), st.none())
values = (
    flat
    | st.lists(flat, max_size=2)
    | st.dictionaries(st.sampled_from("ab"), flat | st.lists(flat, max_size=1))
    | st.just([{"a": [1]}, [2], {}])
)
arguments = st.dictionaries(
    st.sampled_from(["port", "seats", "price", "weight", "quiet", "tags", "guest", "cars", "bogus"]),
    values,
    max_size=4,
)


def rows_of(category: str, rows: Sequence[tuple[str, str, Any]], root: Path) -> None:
    language, name = category.split("/")
    folder = root / "data_all" / f"data_{language}"
    (folder / "possible_answer").mkdir(parents=True, exist_ok=True)
    asked = [
        {"id": id, "question": question, "function": [DISTRACTOR, FERRY], "time": ""}
        for id, question, _ in rows
    ]
    (folder / f"data_{name}.json").write_text("\n".join(json.dumps(r) for r in asked) + "\n")
    labels = [{"id": id, "ground_truth": truth} for id, _, truth in rows]
    (folder / "possible_answer" / f"data_{name}.json").write_text("\n".join(json.dumps(r) for r in labels))
