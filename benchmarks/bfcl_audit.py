"""Labels of BFCL that cannot be right, each with its reason.

Rules go over labels, tools and requests, and every claim is tried on the official checker.

    looptool evaluate --suite bfcl --setup  # once
    python benchmarks/bfcl_audit.py  # writes docs/bfcl-audit.md; some minutes
    python benchmarks/bfcl_audit.py --candidates  # also prints what reading did not confirm

A rule stays only where every entry that it gives stood up to reading it. What was tried and dropped stands at
the end of the document.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _pages import wrapped
from bfcl_audit_page import SECTIONS, Finding, document
from tqdm.auto import tqdm

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.tables import write_text
from looptool_kit.stages.evaluate.bfcl.env import Worker
from looptool_kit.stages.evaluate.bfcl.labels import first_acceptable, language_of, sample_of
from looptool_kit.stages.evaluate.bfcl.weights import CATEGORIES, MULTI_TURN, SINGLE_TURN
from looptool_kit.text.grounding import ground

PYTHON_TYPES: dict[str, Any] = {
    "string": str, "integer": int, "float": (int, float), "boolean": bool, "array": list, "tuple": list,
    "dict": dict,
}  # fmt: skip
_PAGES = "the request says nothing about pages; the tool allows 3 to 100, the label only 100"
READ = {
    ("live_multiple_146-58-0", "perPage"): _PAGES,
    ("live_multiple_218-94-0", "perPage"): _PAGES,
    ("live_multiple_920-191-8", "avg_rating"): 'the request says only "a good rating"; 4 is rejected',
}
"""Candidates of the evidence rule that reading confirmed, with why."""


class Auditor:
    """The entries, and the official verdict on an answer."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.entries = {
            category: worker.ask("entries", category=category)
            for category in tqdm(CATEGORIES, desc="entries")
        }

    def accepts(self, entry: dict[str, Any], calls: list[ToolCall]) -> bool:
        return self.worker.ask("check", id=entry["id"], calls=[[c.name, c.arguments] for c in calls])["valid"]

    def labels(self) -> Iterator[tuple[str, dict[str, Any], int, str, dict[str, list[Any]], dict[str, Any]]]:
        """Every parameter of every labelled call.

        Yields category, entry, number of the call, parameter, acceptable values of the call, and the
        parameters' schema.
        """
        for category in SINGLE_TURN:
            for entry in self.entries[category]:
                docs = {doc["name"]: doc["parameters"] for doc in entry["docs"]}
                for at, call in enumerate(entry["truth"]):
                    name, values = next(iter(call.items()))
                    for parameter in values:
                        yield category, entry, at, parameter, values, docs[name]

    def with_value(
        self, category: str, entry: dict[str, Any], at: int, parameter: str, value: Any
    ) -> list[ToolCall]:
        """The label's answer with another value."""
        calls = list(first_acceptable(entry["truth"], entry["docs"], language_of(category)))
        calls[at] = calls[at].model_copy(update={"arguments": {**calls[at].arguments, parameter: value}})
        return calls


def show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) < 90 else text[:87] + '...'}`"


# ---------------------------------------------------------------- rules


def unsatisfiable(a: Auditor) -> Iterator[Finding]:
    """Entries whose own label the checker rejects, with the cause.

    That cause makes every other answer wrong too.
    """
    for category in SINGLE_TURN:
        if "relevance" in category:
            continue
        for entry in a.entries[category]:
            if a.accepts(entry, list(first_acceptable(entry["truth"], entry["docs"], language_of(category)))):
                continue
            docs = {doc["name"]: doc["parameters"] for doc in entry["docs"]}
            reasons = []
            for call in entry["truth"]:
                name, values = next(iter(call.items()))
                schema = docs[name]
                for parameter in schema.get("required", ()):
                    if parameter not in values:
                        reasons.append(
                            f"`{name}` requires `{parameter}`, the label has no such parameter: with it and"
                            " without it an answer is wrong"
                        )
                    elif (
                        not [v for v in values[parameter] if v != ""]
                        and schema["properties"][parameter]["type"] != "string"
                    ):
                        kind = schema["properties"][parameter]["type"]
                        reasons.append(
                            f'the required {kind} `{parameter}` has no acceptable value but "", which is no'
                            f" {kind}"
                        )
                for parameter, accepted in values.items():
                    described = schema["properties"].get(parameter)
                    if described is None and "" not in accepted:
                        reasons.append(f"the label demands `{parameter}`, which `{name}` does not have")
                    elif (
                        described
                        and described["type"] == "HashMap"
                        and any(isinstance(v, str) for d in accepted if d for v in d.values())
                    ):
                        reasons.append(
                            f"inside the map `{parameter}` a text stands where a list of acceptable values"
                            " belongs, so it is read letter by letter: the text itself is rejected, each"
                            " single letter of it is accepted"
                        )
                    elif described and _mixed(described, accepted):
                        reasons.append(
                            f"the label wants numbers or truth values in the list `{parameter}`, whose"
                            " elements are read as text (type any)"
                        )
            yield Finding("unsatisfiable", f"`{entry['id']}`", "; ".join(reasons) or "CAUSE NOT FOUND")


def _mixed(described: dict[str, Any], accepted: list[Any]) -> bool:
    """Whether an untyped Java list holds other things than text."""
    return (
        described["type"] == "ArrayList"
        and described["items"]["type"] == "any"
        and any(not isinstance(v, str) for a in accepted for v in a)
    )


def forbidden(a: Auditor) -> Iterator[Finding]:
    """Labels of which no acceptable value obeys the tool's schema.

    The checker rejects every value (of a short enum: each) that obeys its enum or element type.
    """
    for category, entry, at, parameter, values, schema in a.labels():
        described = schema["properties"].get(parameter)
        accepted = [v for v in values[parameter] if v != ""]
        if described is None or not accepted or None in accepted or language_of(category) != "python":
            continue
        if described.get("default") in accepted:
            continue  # the tool's own default breaks its schema: the document's slip, not the label's
        kind, enum = described["type"], described.get("enum")
        items = described.get("items") if isinstance(described.get("items"), dict) else {}
        section = "leave_out" if "" in values[parameter] else "forbidden"
        if enum and kind not in ("array", "dict") and not any(v in enum for v in accepted):
            if not any(a.accepts(entry, a.with_value(category, entry, at, parameter, v)) for v in enum):
                yield Finding(
                    section,
                    f"`{entry['id']}`",
                    f"`{parameter}`: accepted {show(accepted)}, the tool allows {show(enum)}",
                )
        elif (
            kind == "array"
            and items
            and not any(
                _typed(v, items.get("type", "any")) for a_ in accepted if isinstance(a_, list) for v in a_
            )
        ):
            if all(isinstance(v, list) and v for v in accepted):
                yield Finding(
                    section,
                    f"`{entry['id']}`",
                    f"`{parameter}`: accepted {show(accepted)}, the tool takes a list of {items['type']}",
                )
        elif not any(_typed(v, kind) for v in accepted):
            said = " ".join(m["content"] for m in entry["turns"][0])
            if not any(
                isinstance(v, str) and v in said for v in accepted
            ):  # a variable's name in the request stands for its value
                yield Finding(
                    section,
                    f"`{entry['id']}`",
                    f"`{parameter}`: accepted {show(accepted)}, the tool takes"
                    f" {'an' if kind[0] in 'aio' else 'a'} {kind}",
                )


def _typed(value: Any, kind: str) -> bool:
    if kind not in PYTHON_TYPES:
        return True
    return isinstance(value, PYTHON_TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))


def quotes(a: Auditor) -> Iterator[Finding]:
    """Java arrays that are accepted only where strings lack quotes."""
    for category, entry, at, parameter, values, schema in a.labels():
        described = schema["properties"].get(parameter, {})
        lists = [
            v for v in values[parameter] if isinstance(v, list) and v and all(isinstance(x, str) for x in v)
        ]
        if language_of(category) != "java" or described.get("type") != "Array" or not lists:
            continue
        right = f"new String[]{{{', '.join(json.dumps(x) for x in lists[0])}}}"
        bare = f"new String[]{{{', '.join(lists[0])}}}"
        if a.accepts(entry, a.with_value(category, entry, at, parameter, bare)) and not a.accepts(
            entry, a.with_value(category, entry, at, parameter, right)
        ):
            yield Finding(
                "quotes", f"`{entry['id']}`", f"`{parameter}`: `{right}` is rejected, `{bare}` accepted"
            )


def contradictions(a: Auditor) -> Iterator[Finding]:
    """Entries with the same input and different labels.

    They have the same messages and the same tools (in any order). One wants a call and the other none, or
    other calls.
    """
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for category in SINGLE_TURN:
        for entry in a.entries[category]:
            groups[
                json.dumps([entry["turns"], sorted(json.dumps(d, sort_keys=True) for d in entry["docs"])])
            ].append((category, entry))
    for group in groups.values():
        for i, (category, entry) in enumerate(group):
            for other_category, other in group[i + 1 :]:
                none = ["irrelevance" in c for c in (category, other_category)]
                if none[0] != none[1]:
                    pair = f"`{entry['id']}` and `{other['id']}`"
                    yield Finding(
                        "contradiction",
                        pair,
                        "the same messages and the same tools; the first wants a call, the second counts any"
                        " call as wrong",
                    )
                elif not any(none) and not a.accepts(
                    other, list(first_acceptable(entry["truth"], entry["docs"]))
                ):
                    yield Finding(
                        "contradiction",
                        f"`{entry['id']}` and `{other['id']}`",
                        "the same messages and tools; one's answer is wrong for the other",
                    )


def lacks(a: Auditor) -> Iterator[Finding]:
    """Parameters in a label that the function does not have.

    They may be left out.
    """
    for _, entry, at, parameter, values, schema in a.labels():
        if parameter not in schema["properties"] and "" in values[parameter]:
            name = next(iter(entry["truth"][at]))
            yield Finding(
                "lacks",
                f"`{entry['id']}`",
                f"`{parameter}` of `{name}`: an answer that uses an acceptable value of it is rejected",
            )


def multi_turn(a: Auditor) -> Iterator[Finding]:
    """Ground-truth calls that the tools on offer do not allow.

    The tool is not there yet, or an argument is of an undeclared type.
    """
    for category in MULTI_TURN:
        for entry in a.entries[category]:
            known = {
                doc["name"]: doc["parameters"]["properties"]
                for docs in entry["later"].values()
                for doc in docs
            }
            present = {doc["name"] for doc in entry["tools"]}
            known |= {doc["name"]: doc["parameters"]["properties"] for doc in entry["tools"]}
            for at, turn in enumerate(entry["truth"]):
                present |= {doc["name"] for doc in entry["later"].get(str(at), ())}
                for text in turn:
                    call = ast.parse(text, mode="eval").body
                    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
                    if call.func.id not in present:
                        later = next(
                            t
                            for t, docs in entry["later"].items()
                            if call.func.id in [d["name"] for d in docs]
                        )
                        yield Finding(
                            "withheld",
                            f"`{entry['id']}`",
                            f"turn {at} wants `{text}`; `{call.func.id}` is only handed out in turn {later}",
                        )
                    for argument in call.keywords:
                        kind = known[call.func.id].get(argument.arg or "", {}).get("type", "any")
                        try:
                            value = ast.literal_eval(argument.value)
                        except ValueError:
                            continue
                        if not _typed(value, kind):
                            yield Finding(
                                "wrong_type",
                                f"`{entry['id']}`",
                                f"turn {at} wants `{text}`; the tool declares `{argument.arg}` as {kind}",
                            )


def guesses(a: Auditor, candidates: list[str]) -> Iterator[Finding]:
    """Numbers that must be given and that nobody said.

    The dialogue does not say them, in digits or in words, and no default gives them. Then reading decides.
    """
    samples: dict[str, Any] = {}
    for category, entry, at, parameter, values, schema in a.labels():
        described = schema["properties"].get(parameter, {})
        accepted = values[parameter]
        if (
            language_of(category) != "python"
            or not accepted
            or not all(type(v) in (int, float) for v in accepted)
        ):
            continue
        sample = samples.setdefault(entry["id"], sample_of(entry, category))
        text = " ".join(m.content for m in sample.messages)
        said = {float(n.replace(",", "")) for n in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}
        if not {abs(float(v)) for v in accepted} & said and all(
            ground(v, described, sample, parameter).supported == 0 for v in accepted
        ):
            why = READ.get((entry["id"], parameter))
            if why is None:
                candidates.append(f"{entry['id']} {parameter} {accepted}")
            elif not a.accepts(
                entry,
                a.with_value(
                    category, entry, at, parameter, accepted[0] - (1 if isinstance(accepted[0], int) else 0.5)
                ),
            ):
                yield Finding(
                    "guess", f"`{entry['id']}`", f"`{parameter}` must be {show(accepted[0])}: {why}"
                )


def main() -> None:
    """Run the rules and write the document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "bfcl-audit.md")
    parser.add_argument("--candidates", action="store_true")
    given = parser.parse_args()
    candidates: list[str] = []
    with Worker() as worker:
        a = Auditor(worker)
        findings: list[Finding] = []
        for rule in (unsatisfiable, forbidden, contradictions, multi_turn, quotes, lacks):
            findings += tqdm(rule(a), desc=rule.__name__)
        findings += guesses(a, candidates)
    order = list(SECTIONS)
    findings = sorted(dict.fromkeys(findings), key=lambda f: order.index(f.section))
    rows, dialogues = (sum(CATEGORIES[c] for c in group) for group in (SINGLE_TURN, MULTI_TURN))
    write_text(given.out, wrapped(document(findings, rows, dialogues, len(candidates))))
    print(f"{len(findings)} findings in {given.out}")
    if given.candidates:
        print("\n".join(candidates))


if __name__ == "__main__":
    main()
