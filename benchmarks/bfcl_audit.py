"""Labels of BFCL that cannot be right, each with its reason.

The kinds of `looptool audit` and rules for what only BFCL has (Java, dialogues) go over labels, tools and
requests, and every claim is tried on the official checker.

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
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _pages import wrapped
from bfcl_audit_page import SECTIONS, Finding, document
from tqdm.auto import tqdm

from looptool_kit.audit.audit import audit
from looptool_kit.audit.findings import Finding as Found
from looptool_kit.audit.kinds.refused import NONE
from looptool_kit.audit.kinds.shared_call import shared
from looptool_kit.audit.read import bfcl_sample
from looptool_kit.checks.tool_errors import is_error
from looptool_kit.core.samples import Samples, ToolCall
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

    def runs(self, entry: dict[str, Any], turn: int, text: str) -> bool:
        """Whether a call of the truth gives a result where it stands, and not an error."""
        results: list[str] = []
        for calls in entry["truth"][: turn + 1]:
            asked = [_literal_call(c) for c in calls]
            results = self.worker.ask("execute", session="audit", id=entry["id"], calls=asked)
        self.worker.ask("forget", session="audit", id=entry["id"])
        return not is_error(results[entry["truth"][turn].index(text)])

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


def _literal_call(text: str) -> list[Any]:
    """A call of the truth, Python source, as name and arguments."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    return [call.func.id, {k.arg: ast.literal_eval(k.value) for k in call.keywords}]


def show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) < 90 else text[:87] + '...'}`"


# ---------------------------------------------------------------- rules


def audited(a: Auditor) -> Iterator[Finding]:
    """What `looptool audit` finds in the acceptable answers, each tried on the official checker."""
    given = [
        (category, entry, bfcl_sample(row, None if "irrelevance" in category else entry["truth"], category))
        for category in SINGLE_TURN
        if category != "live_relevance"  # any call is right there
        for entry in a.entries[category]
        for row in [{"id": entry["id"], "function": entry["docs"], "question": entry["turns"]}]
    ]
    found = audit(Samples(s for _, _, s in given), only=CONFIRMED).findings
    for finding in found:
        category, entry, _ = given[finding.row - 1]
        if finding.kind == "contradiction":
            row = int(re.findall(r"row (\d+)", finding.reason)[0])
            yield from contradiction(a, (category, entry), given[row - 1][:2])
        else:
            yield from CONFIRMED[finding.kind](a, category, entry, finding)


def refused(a: Auditor, category: str, entry: dict[str, Any], finding: Found) -> Iterator[Finding]:
    """The official checker rejects the label's own answer."""
    calls = list(first_acceptable(entry["truth"], entry["docs"], language_of(category)))
    if not a.accepts(entry, calls):
        yield Finding("unsatisfiable", f"`{entry['id']}`", finding.reason.removeprefix(NONE))


def _answer(entry: dict[str, Any], finding: Found) -> tuple[int, str, str, list[Any], dict[str, Any]]:
    """Number of the call, function, parameter, acceptable values and the parameter's schema."""
    *_, at, name, parameter = finding.place.split("/")
    name, parameter = (part.replace("~1", "/").replace("~0", "~") for part in (name, parameter))
    schema = next(doc["parameters"] for doc in entry["docs"] if doc["name"] == name)
    return int(at), name, parameter, entry["truth"][int(at)][name][parameter], schema["properties"]


def forbidden(a: Auditor, category: str, entry: dict[str, Any], finding: Found) -> Iterator[Finding]:
    """The official checker rejects each value of a short enum; other values break type or elements."""
    at, _, parameter, values, properties = _answer(entry, finding)
    described, accepted = properties[parameter], [v for v in values if v != ""]
    kind, enum = described["type"], described.get("enum")
    if enum and any(a.accepts(entry, a.with_value(category, entry, at, parameter, v)) for v in enum):
        return
    items = described.get("items") if isinstance(described.get("items"), dict) else {}
    takes = f"takes {'an' if kind[0] in 'aio' else 'a'} {kind}"
    takes += f" of {items.get('type')}" if items else ""
    allows = f"allows {show(enum)}" if enum and kind != "array" else takes
    section = "leave_out" if "" in values else "forbidden"
    yield Finding(section, f"`{entry['id']}`", f"`{parameter}`: accepted {show(accepted)}, the tool {allows}")


def lacks(a: Auditor, category: str, entry: dict[str, Any], finding: Found) -> Iterator[Finding]:
    """Parameters in a label that the function does not have, and that may be left out."""
    _, name, parameter, values, _ = _answer(entry, finding)
    if "" in values:
        words = f"`{parameter}` of `{name}`: an answer that uses an acceptable value of it is rejected"
        yield Finding("lacks", f"`{entry['id']}`", words)


def twice(a: Auditor, category: str, entry: dict[str, Any], finding: Found) -> Iterator[Finding]:
    """The official checker accepts one call twice in place of two different ones."""
    if language_of(category) != "python":
        return
    right = list(first_acceptable(entry["truth"], entry["docs"]))
    second = int(finding.place.split("/")[-1])
    for first in range(second):
        common = shared(entry["truth"][first], entry["truth"][second])
        if common is None:
            continue
        calls = list(right)
        calls[first] = calls[second] = right[first].model_copy(update={"arguments": common})
        if a.accepts(entry, calls):
            words = f"`{right[first].name}` with {show(common)}, twice"
            yield Finding("twice", f"`{entry['id']}`", words)
            return


def contradiction(
    a: Auditor, one: tuple[str, dict[str, Any]], two: tuple[str, dict[str, Any]]
) -> Iterator[Finding]:
    """The same messages and tools; one wants a call and the other none, or other calls."""
    (category, entry), (other_category, other) = sorted((one, two), key=lambda c: "irrelevance" in c[0])
    pair = f"`{entry['id']}` and `{other['id']}`"
    if "irrelevance" in other_category:
        words = "the same messages and tools; the first wants a call, the second counts any call as wrong"
        yield Finding("contradiction", pair, words)
    elif not a.accepts(other, list(first_acceptable(entry["truth"], entry["docs"], language_of(category)))):
        words = "the same messages and tools; one's answer is wrong for the other"
        yield Finding("contradiction", pair, words)


CONFIRMED: dict[str, Any] = {
    "refused": refused,
    "forbidden_answers": forbidden,
    "foreign_parameter": lacks,
    "shared_call": twice,
    "contradiction": contradiction,
}
"""Kinds of the product, each with its trial on the official checker."""


def unsatisfiable(a: Auditor) -> Iterator[Finding]:
    """Java entries whose own label the checker rejects, with the cause."""
    for category in SINGLE_TURN:
        for entry in a.entries[category] if language_of(category) == "java" else ():
            if a.accepts(entry, list(first_acceptable(entry["truth"], entry["docs"], "java"))):
                continue
            docs = {doc["name"]: doc["parameters"] for doc in entry["docs"]}
            reasons = []
            for call in entry["truth"]:
                name, values = next(iter(call.items()))
                for parameter, accepted in values.items():
                    described = docs[name]["properties"].get(parameter)
                    if (
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
                                "own_id" if a.runs(entry, at, text) else "wrong_type",
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
        for rule in (audited, unsatisfiable, multi_turn, quotes):
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
