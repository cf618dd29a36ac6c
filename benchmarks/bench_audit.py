"""What each kind of `looptool audit` is worth: what it finds of planted errors, and its false alarms.

    python benchmarks/bench_audit.py  # writes looptool_kit/audit/merits.json and prints the tables
    python benchmarks/bench_audit.py --rows 100000  # how long that many rows take
    python benchmarks/bench_audit.py --write data.jsonl  # a file with planted errors, to try the command on
    python benchmarks/bench_audit.py --file data.json  # the same on somebody's data; nothing is written

A tenth of the samples of each data set gets one planted error (`audit_plants.py`), and the file is audited as
anybody's would be. Data sets: `world`; `openai`, made-up tools of another generator in OpenAI's form; `bfcl`,
questions whose labels the official checker accepts and that docs/bfcl-audit.md does not list (only where
`looptool evaluate --suite bfcl --setup` was run; else its numbers stay as they are).
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from audit_plants import PLANTS, acceptable_of
from made_up_tools import generate

from looptool_kit import world
from looptool_kit.audit import merits
from looptool_kit.audit.audit import audit, kinds
from looptool_kit.audit.look import ACCEPTABLE, DERIVED
from looptool_kit.audit.merits import Merit, precision_of, severity_of
from looptool_kit.audit.read import bfcl_sample, rows
from looptool_kit.augment.planting import values_of
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_json, write_text
from looptool_kit.core.toolcalls import chat, tool_schemas
from looptool_kit.formats import read, to_row

ROOT = Path(__file__).parent.parent
MERITS = ROOT / "looptool_kit" / "audit" / "merits.json"
SHARE = 0.1
"""Of the samples get an error."""
AGAINST = 400
"""Samples of the test set."""
WITH_ANSWERS = ("refused", "forbidden_answers", "shared_call")
"""Kinds that look at acceptable answers: their clean samples are those that have some."""
ALL = "any error"
"""The row of the table for all kinds of severity error together."""


class Line(NamedTuple):
    """One line of a data set's file."""

    text: str
    kind: str = ""
    """What was planted; empty in a clean line."""
    twin: bool = False
    """A right sample beside a planted one: what is found in it is not counted."""
    answers: bool = False


def planted(samples: Samples, test: Samples, form: str, seed: int) -> list[Line]:
    """The file's lines: every sample, a tenth of them with one error each, all kinds alike often."""
    rng, values = Random(f"audit/{seed}"), values_of(samples)
    chosen = set(rng.sample(range(len(samples)), round(SHARE * len(samples))))
    count: Counter[str] = Counter()
    names = [*PLANTS, "unreadable", "failed_call", "leak", "shared_words"]
    lines: list[Line] = []
    for at, sample in enumerate(samples):
        if at not in chosen:
            lines.append(_line(sample, form))
            continue
        for kind in sorted(names, key=lambda k: (count[k], rng.random())):
            if made := _plant(kind, sample, rng, values, test, form):
                lines += made
                count[kind] += 1
                break
    return lines


def _plant(
    kind: str, sample: Sample, rng: Random, values: Any, test: Samples, form: str
) -> list[Line] | None:
    if kind == "unreadable":
        text = _line(sample, form).text
        return [Line(text[: len(text) * 2 // 3], kind)]
    if kind == "null_value" and form != "looptool":
        return None  # other forms' readers take it for an argument that was not given
    if kind == "failed_call":
        return [Line(_failed(sample), kind)] if sample.label.calls else None
    if kind in ("leak", "shared_words"):
        long = [t for t in test if len(t.request.split()) >= 10]
        if not long:
            return None
        other = rng.choice(long)
        if kind == "leak":
            return [_line(other, form, kind)]
        words = f"Before we begin, here is a note that I was sent by a friend of mine. {other.request}"
        messages = tuple(
            m if m.role != "user" else m.model_copy(update={"content": words}) for m in sample.messages
        )
        return [_line(sample.model_copy(update={"messages": messages, "meta": {}}), form, kind)]
    made = PLANTS[kind](sample, rng, values)
    if not made:
        return None
    *twins, wrong = made
    return [*(_line(t, form)._replace(twin=True) for t in twins), _line(wrong, form, kind)]


def _line(sample: Sample, form: str, kind: str = "") -> Line:
    """The sample's line in a form; in our own where that cannot hold it."""
    answers = ACCEPTABLE in sample.meta
    try:
        row = to_row(sample, "looptool" if answers else form)  # type: ignore[arg-type]
    except (ValueError, TypeError, AttributeError, KeyError):
        row = to_row(sample, "looptool")
    return Line(json.dumps(row, ensure_ascii=False), kind, answers=answers)


def _failed(sample: Sample) -> str:
    """A dialogue in OpenAI's form in which the label's call leads to an error."""
    called = [
        {"function": {"name": c.name, "arguments": json.dumps(c.arguments)}} for c in sample.label.calls
    ]
    turns = [
        *chat(sample.messages),
        {"role": "assistant", "content": "", "tool_calls": called},
        *({"role": "tool", "content": '{"error": "no such entry"}'} for _ in called),
        {"role": "assistant", "content": "I am sorry, there is no such entry."},
    ]
    return json.dumps({"messages": turns, "tools": tool_schemas(sample.tools)}, ensure_ascii=False)


Seen = list[tuple[Line, set[str]]]
"""Each line with the kinds that were found in it."""


def seen_in(lines: list[Line], test: Samples) -> Seen:
    """Audit the lines as a file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.jsonl"
        write_text(file, "\n".join(line.text for line in lines) + "\n")
        found = audit(rows(file), test).findings
    by_row: dict[int, set[str]] = {}
    for finding in found:
        by_row.setdefault(finding.row, set()).add(finding.kind)
    return [(line, by_row.get(at, set())) for at, line in enumerate(lines, 1)]


def merit(seen: Seen, planted_kinds: set[str], names: set[str]) -> Merit:
    """How many planted errors of the kinds are found, and how many clean lines have such a finding.

    A foreign form's reader rejects a row with an unusable tool, so that `unreadable` finds it.
    """
    of_kind = [f for line, f in seen if line.kind in planted_kinds]
    caught = sum(bool((names | {"unreadable"} if "schema" in names else names) & f) for f in of_kind)
    clean = [(line, f) for line, f in seen if not line.kind and not line.twin]
    if names <= set(WITH_ANSWERS):
        clean = [(line, f) for line, f in clean if line.answers]
    return Merit(len(of_kind), caught, len(clean), sum(bool(names & f) for _, f in clean))


# ------------------------------------------------------------------------- data


def with_answers(samples: Iterable[Sample]) -> Samples:
    """The samples, each with its label as the only acceptable answer where it has a plain form."""
    return Samples(
        s.model_copy(update={"meta": {ACCEPTABLE: given} if (given := acceptable_of(s.label)) else {}})
        for s in samples
    )


def bfcl() -> Samples | None:
    """BFCL's questions under a label that the official checker accepts; None where BFCL is not set up."""
    from looptool_kit.stages.evaluate.bfcl import env
    from looptool_kit.stages.evaluate.bfcl.weights import SINGLE_TURN

    try:
        env.python()
    except FileNotFoundError:
        return None
    listed = set(re.findall(r"`(\w+?_\d+(?:-\d+-\d+)?)`", (ROOT / "docs" / "bfcl-audit.md").read_text()))
    out = []
    with env.Worker() as worker:
        for category in SINGLE_TURN:
            for entry in worker.ask("entries", category=category) if category != "live_relevance" else ():
                if entry["id"] in listed:
                    continue
                row = {"id": entry["id"], "function": entry["docs"], "question": entry["turns"]}
                sample = bfcl_sample(row, None if "irrelevance" in category else entry["truth"], category)
                calls = [[c.name, c.arguments] for c in sample.label.calls]
                if worker.ask("check", id=entry["id"], calls=calls)["valid"]:
                    meta = {k: v for k, v in sample.meta.items() if k != DERIVED}
                    out.append(sample.model_copy(update={"meta": meta}))
    return Samples(out)


def sets(n: int, public: bool = True) -> Iterable[tuple[str, Samples, Samples, str]]:
    """Name, samples, test set and form of each data set."""
    yield (
        "world",
        with_answers(world.generate(n, seed=26)),
        Samples(world.generate(AGAINST, seed=27)),
        "looptool",
    )
    yield "openai", generate(n, "audit"), generate(AGAINST, "audit's test set"), "openai"
    if public and (found := bfcl()) is not None:
        at = set(Random("audit").sample(range(len(found)), AGAINST))
        rest = Samples(s for i, s in enumerate(found) if i not in at)
        yield "bfcl", rest, Samples(s for i, s in enumerate(found) if i in at), "looptool"


def own_file(file: Path, seeds: int) -> Seen:
    """Somebody's data as it stands, and its samples with errors planted anew for each seed.

    What is found in the file as it stands counts as false alarms, right or not: read it.
    """
    left_out: list[int] = []
    samples = read(file, lambda row, *_: left_out.append(row))
    print(f"{file.name}: {len(samples):,} samples; {len(left_out)} rows or turns left out")
    held = set(Random("audit").sample(range(len(samples)), min(AGAINST, len(samples) // 5)))
    test = Samples(s for i, s in enumerate(samples) if i in held)
    rest = Samples(s for i, s in enumerate(samples) if i not in held)
    seen = seen_in([_line(s, "looptool") for s in rest], test)
    for seed in range(1, seeds + 1):
        seen += [(x, found) for x, found in seen_in(planted(rest, test, "looptool", seed), test) if x.kind]
    return seen


# ---------------------------------------------------------------------- results


def table(measured: dict[str, dict[str, Merit]]) -> str:
    """The merits as a Markdown table, one row a kind."""
    names = list(dict.fromkeys(name for of in measured.values() for name in of))
    head = ["kind", "severity", "precision", *(f"{n}: recall; false alarms" for n in names)]
    lines = [f"| {' | '.join(head)} |", "| --- | --- | --- |" + " --- |" * len(names)]
    for kind, of in measured.items():
        grade = "error" if kind == ALL else severity_of(of, kinds()[kind].HARM)
        precision, low = precision_of(of)
        cells = [_cell(of[n]) if n in of else "-" for n in names]
        lines.append(f"| {kind} | {grade} | {precision:.2f} (>= {low:.2f}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(m: Merit) -> str:
    recall, low, high = m.recall
    found = f"{recall:.2f} [{low:.2f}, {high:.2f}] of {m.planted}" if m.planted else "none planted"
    return f"{found}; {m.false_alarms} of {m.clean:,}"


def time_rows(n: int) -> None:
    """Print how long the audit of n rows of the world takes, reading them included."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "data.jsonl"
        Samples(world.generate(n, seed=28)).write(file)
        started, cpu = time.monotonic(), time.process_time()
        found = audit(rows(file))
        wall, cpu = time.monotonic() - started, time.process_time() - cpu
    print(f"{len(found.rows):,} rows: {wall:.0f} s, {cpu:.0f} s of CPU; {len(found.findings):,} findings")


def graves(measured: dict[str, dict[str, Merit]]) -> set[str]:
    """The kinds of severity error."""
    return {k for k, of in measured.items() if severity_of(of, kinds()[k].HARM) == "error"}


def show(name: str, seen: Seen) -> None:
    """Print a data set's merits beside the severities that the audit has."""
    known = merits.measured()
    rows_ = {k: m for k in kinds() if (m := merit(seen, {k}, {k})).clean}
    grave = graves({k: known[k] for k in rows_})
    print(f"| kind | severity | {name}: recall; found in the file as it stands |\n| --- | --- | --- |")
    for kind, m in rows_.items():
        print(f"| {kind} | {severity_of(known[kind], kinds()[kind].HARM)} | {_cell(m)} |")
    print(f"| {ALL} | error | {_cell(merit(seen, grave, grave))} |")


def main() -> None:
    """Measure, print and write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--samples", type=int, default=6000, help="of each generated data set")
    ask.add_argument("--out", type=Path, default=MERITS)
    ask.add_argument("--rows", type=int, help="only time the audit of that many rows")
    ask.add_argument("--write", type=Path, help="only write a file in OpenAI's form with planted errors")
    ask.add_argument("--quick", action="store_true", help="400 samples, without BFCL; nothing is written")
    ask.add_argument("--file", type=Path, help="only measure on the samples of this file, in any form")
    ask.add_argument("--seeds", type=int, default=10, help="how often errors are planted in that file")
    given = ask.parse_args()
    if given.file:
        show(given.file.stem, own_file(given.file, given.seeds))
        return
    if given.rows:
        time_rows(given.rows)
        return
    if given.write:
        lines = planted(generate(given.samples, "audit"), generate(AGAINST, "audit's test set"), "openai", 1)
        write_text(given.write, "\n".join(line.text for line in lines) + "\n")
        print(
            f"{len(lines):,} rows in {given.write}, {sum(bool(x.kind) for x in lines)} with a planted error"
        )
        return
    seen = {}
    for name, samples, test, form in sets(400 if given.quick else given.samples, not given.quick):
        seen[name] = seen_in(planted(samples, test, form, 1), test)
    old = merits.measured()
    measured = {
        kind: {n: of[n] for n in ("bfcl",) if n in (of := old.get(kind, {})) and n not in seen}
        | {name: merit(s, {kind}, {kind}) for name, s in seen.items()}
        for kind in kinds()
    }
    measured = {kind: {n: m for n, m in of.items() if m.clean} for kind, of in measured.items()}
    grave = graves(measured)
    measured[ALL] = {name: merit(s, grave, grave) for name, s in seen.items()}
    print(table(measured))
    if not given.quick:
        dumped = {k: {n: m._asdict() for n, m in of.items()} for k, of in measured.items()}
        command = f"python benchmarks/bench_audit.py --samples {given.samples}"
        write_json(given.out, {"command": command, "kinds": dumped})


if __name__ == "__main__":
    main()
