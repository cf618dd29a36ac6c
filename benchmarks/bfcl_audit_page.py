"""The document that `bfcl_audit.py` writes."""

from __future__ import annotations

import re
from typing import NamedTuple

from looptool_kit.stages.evaluate.bfcl.env import VERSION

SECTIONS = {
    "unsatisfiable": "No right answer is accepted",
    "forbidden": "Only values that the tool forbids are accepted",
    "twice": "One call is accepted twice, where two different ones are asked for",
    "contradiction": "The same input with contradictory labels",
    "withheld": "The label uses a tool that the dialogue withholds",
    "quotes": "Java arrays of strings: only text that is not Java is accepted",
    "guess": "One number is demanded that nobody said and nothing implies",
    "wrong_type": "The label's argument is of another type than the tool declares",
    "leave_out": "Every value that the tool allows is rejected; only leaving the parameter out passes",
    "own_id": "The argument is of another type than declared, and the environment works with it (harmless)",
    "lacks": "The label speaks of a parameter that the function lacks (harmless: it may be left out)",
}
NOTES = {
    "forbidden": (
        "Each value of the tool's own enum was tried and rejected. In `live_multiple_947-197-0` the tool's"
        " description allows more than its enum, so that the enum may be what is wrong; a model that keeps to"
        " the schema loses the point all the same."
    ),
    "twice": (
        "Two of the label's calls differ, and one call satisfies both, often since the parameter in which"
        " they differ may be left out. An answer that does one of the two things twice, and never the other,"
        " passes."
    ),
    "contradiction": "Whatever is answered, one of the two counts it as wrong.",
    "quotes": (
        "The checker's reader leaves the quotes on the elements and compares them with the label's text,"
        " which has none."
    ),
}
LEFT_OUT = [
    "## What was left out, on purpose",
    "",
    (
        "- `null` as an acceptable value, and values that equal the tool's own default, where the schema"
        " allows neither: the document's slip."
    ),
    (
        "- Labels that name a variable of the request (`data['sales']`) where a list is declared: BFCL's"
        " convention."
    ),
    (
        "- Enums that by their own description hold examples (`live_parallel_multiple_2-2-0`): the schema's"
        " slip, not the label's."
    ),
    ("- Required parameters that the label marks as optional: they may mean that an empty text is accepted."),
    "- Entries with the same request but other wording in their tools: similar is not the same.",
    "- Optional parameters that the label demands although they equal the default: strict, not wrong.",
]


class Finding(NamedTuple):
    """One entry of the document."""

    section: str
    ids: str
    reason: str


def document(findings: list[Finding], rows: int, dialogues: int, unconfirmed: int) -> str:
    """The Markdown text."""
    serious = len(
        {
            i
            for f in findings
            if f.section not in ("leave_out", "own_id", "lacks")
            for i in re.findall(r"`([^`]+)`", f.ids)
        }
    )
    out = [
        "# Labels of BFCL that cannot be right",
        "",
        (
            "Written by `python benchmarks/bfcl_audit.py` from the data and the checkers of bfcl-eval"
            f" {VERSION}: {rows} single-turn entries and {dialogues} dialogues. {serious} entries have a"
            " label that cannot be right, or that contradicts its own tool or another entry; with those that"
            f" do no harm there are {len(findings)} findings. Accepted and rejected mean: by the official"
            " checker. Turns count from 0."
        ),
        "",
    ]
    for section, title in SECTIONS.items():
        of = [f for f in findings if f.section == section]
        if not of:
            continue
        out += [
            f"## {title} ({len(of)})",
            "",
            *([NOTES[section], ""] if section in NOTES else []),
            *(f"- {f.ids}: {f.reason}" for f in of),
            "",
        ]
    return "\n".join([*out, *LEFT_OUT, *unread_lines(unconfirmed)])


def unread_lines(unconfirmed: int) -> list[str]:
    """What was not looked at, and what no rule looks for."""
    return [
        (
            f"- {unconfirmed} other numbers that the grounding rule did not find in the request: units and"
            " conversions that it does not read, identifiers that the tool's description lists, common"
            " knowledge."
        ),
        "",
        (
            "Not looked for: values that are wrong although they obey the schema and are in the request."
            " Finding those takes a judge, and a judge errs."
        ),
        "",
    ]
