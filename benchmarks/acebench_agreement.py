"""Does the suite `acebench` score as the benchmark's script does?

    git clone https://github.com/ACEBench/ACEBench
    python benchmarks/acebench_agreement.py ACEBench  # less than a minute

Every label, and answers changed in 26 ways (the 20 of `bfcl_agreement.py` and 6 more; for special categories
8 changes of the sentence), go through the evaluation functions of the checkout's `eval_main.py`, in a process
of their own, and through `stages/evaluate/acebench/check.py`. Prints for each category how its labels are
scored and in how many cases the verdicts are the same, and for each kind of change how many are let through.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from bfcl_agreement import CHANGES, Calls, Change, _is, _values
from tqdm.auto import tqdm

from looptool_kit.core.stats import wilson
from looptool_kit.core.toolcalls import render_calls
from looptool_kit.stages.evaluate.acebench import CategoryScore, totals
from looptool_kit.stages.evaluate.acebench.check import official, official_calls, strict
from looptool_kit.stages.evaluate.acebench.labels import (
    CATEGORIES,
    Entry,
    answers,
    entries,
    messages_of,
    named,
    sentence,
)

# ------------------------------------------------------- the official script

OFFICIAL = """
import contextlib, json, os, sys, tempfile, types
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
sys.path.insert(0, sys.argv[1])
for name in ("pandas", "openpyxl", "openpyxl.styles"):  # only for the spreadsheets that it writes
    sys.modules[name] = types.ModuleType(name)
sys.modules["openpyxl"].Workbook = sys.modules["openpyxl.styles"].Alignment = None
os.chdir(tempfile.mkdtemp())
import eval_main
eval_main.OUTPUT_PATH = "."
eval_main.save_score_as_json = eval_main.convert_result_to_excel = lambda *_: None
for line in sys.stdin:
    category, rows = json.loads(line)
    results = [{"id": id, "result": text} for id, _, _, text in rows]
    prompts = [{"id": id, "question": "", "function": functions} for id, functions, _, _ in rows]
    truths = [{"id": id, "ground_truth": truth} for id, _, truth, _ in rows]
    kinds = ("special", "normal_multi_turn")
    kind = next((kind for kind in kinds if kind in category), "normal_single_turn")
    try:
        said = getattr(eval_main, kind + "_eval")(results, prompts, truths, category, "policy", {})
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    answers.write(json.dumps(said) + "\\n")
    answers.flush()
"""


class Script:
    """The checkout's evaluation functions in a process of their own."""

    def __init__(self, checkout: Path) -> None:
        command = [sys.executable, "-I", "-c", OFFICIAL, str(checkout.resolve())]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def accuracy(self, rows: Sequence[tuple[Entry, str]]) -> float | str:
        """The script's accuracy for a category, rounded as it rounds.

        It is a text where an error stops the script.
        """
        assert self.process.stdin and self.process.stdout
        category = rows[0][0].category[3:]
        self.process.stdin.write(
            json.dumps([category, [(e.id[3:], e.functions, e.truth, text) for e, text in rows]]) + "\n"
        )
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("the checkout's script ended; what it said stands above")
        return json.loads(line)

    def valid(self, entry: Entry, text: str) -> bool:
        """Its verdict on one answer; one that stops it is wrong."""
        return self.accuracy([(entry, text)]) == 1.0


def as_text(calls: Calls) -> str:
    """Calls in ACEBench's own form."""
    return (
        "["
        + ", ".join(f"{c.name}({', '.join(f'{k}={v!r}' for k, v in c.arguments.items())})" for c in calls)
        + "]"
    )


# ------------------------------------------------------------------ changes

NORMAL: dict[str, Change] = {
    **CHANGES,
    "number off by 1000": _values(_is(int, float), lambda v: v + 1000),
    "digit before a number": _values(_is(int, float), lambda v: type(v)(f"1{abs(v)}")),
    "words added before": _values(_is(str), lambda v: "qzx " + v),
    "words left out": _values(lambda v: isinstance(v, str) and " " in v, lambda v: v.rsplit(" ", 1)[0]),
    "truth value as text in lower case": _values(_is(bool), lambda v: str(v).lower()),
    "text without spaces": _values(lambda v: isinstance(v, str) and " " in v, lambda v: v.replace(" ", "")),
}


_ALL_THREE = (
    "Missing necessary parameters. There is incorrect value. Due to the limitations of the function, I cannot"
    " solve this problem."
)
SPECIAL: dict[str, Callable[[str, Entry], str | None]] = {
    "nothing": lambda said, entry: "",
    "in other words": lambda said, entry: (
        "I need some more information before I can do that. What should I use?"
    ),
    "a call beside it": lambda said, entry: (
        f"{said} <tool_call>{json.dumps({'name': entry.functions[0]['name'], 'arguments': {}})}</tool_call>"
    ),
    "upper case": lambda said, entry: said.upper(),
    "a name missing": lambda said, entry: said.replace(named(entry)[-1], "") if named(entry) else None,
    "names inside longer ones": lambda said, entry: (
        said.replace(named(entry)[0], f"x{named(entry)[0]}x") if named(entry) else None
    ),
    "all three sentences": lambda said, entry: f"{_ALL_THREE} {' '.join(named(entry))}",
    "names too many": lambda said, entry: said.replace(" (", " (bogus, ", 1) if named(entry) else None,
}


def changed(entry: Entry, kind: str, rng: random.Random) -> tuple[str, bool, bool, str] | None:
    """An answer so changed, in official form, with our two verdicts.

    They are by the official rule and strict; the last value is the type of error. None where it cannot be
    changed so.
    """
    if "special" in entry.category:
        text = sentence(entry) if kind == "label" else SPECIAL[kind](sentence(entry), entry)
        return (
            None
            if text is None
            else (text, official(entry, text).valid, strict(entry, text), official(entry, text).error_type)
        )
    docs = [{"name": f["name"], "parameters": f.get("parameters") or {}} for f in entry.functions]
    calls = (
        list(answers(entry)[0])
        if kind == "label"
        else NORMAL[kind](list(answers(entry)[0]), {"docs": docs}, rng)
    )
    if calls is None:
        return None
    result = official_calls(entry, calls)
    return as_text(calls), result.valid, strict(entry, render_calls(calls)), result.error_type


# -------------------------------------------------------------------- parts


def conversion(loaded: dict[str, list[Entry]]) -> None:
    """What the conversion of tools and dialogues met."""
    found = [e for entries_ in loaded.values() for e in entries_]
    elsewhere = [(e, f) for e in found for f in e.functions if "parameters" not in f]
    labelled = sum(
        f["name"] == c.name
        for e, f in elsewhere
        if "normal" in e.category
        for calls in answers(e)
        for c in calls
    )
    turns = [m for e in found for m in messages_of(e.question) if m.role == "assistant"]
    left = sum(not m.tool_calls and m.content.startswith("[") for m in turns)
    functions, calls = sum(len(e.functions) for e in found), sum(bool(m.tool_calls) for m in turns)
    print(
        f"{len(found)} entries; {len(elsewhere)} of {functions} functions without `parameters`, {labelled} of"
        " them in a label;"
    )
    print(
        f"{len(turns)} assistant turns, {calls} of them calls, {left} in brackets that could not be read as"
        " calls\n"
    )


def labels(script: Script, loaded: dict[str, list[Entry]]) -> None:
    """The benchmark's own labels, scored by its script and by us.

    Its accuracy is for a category, ours is made of single verdicts.
    """
    print(
        f"{'labels as answers':45}{'entries':>8}{'counted':>8}{'official':>9}{'ours':>8}{'strict':>8}"
        f"{'same verdict':>14}"
    )
    sums: Counter[str] = Counter()
    scored = []
    for category, found in loaded.items():
        made = [changed(e, "label", random.Random(0)) for e in found]
        rows = [(e, m[0], m[1], m[2]) for e, m in zip(found, made, strict=True) if m]
        theirs = [script.valid(e, text) for e, text, _, _ in tqdm(rows, desc=category, leave=False)]
        units = {e.unit for e in found}
        whole = script.accuracy([(e, text) for e, text, _, _ in rows])
        ours = len(units - {e.unit for e, _, ok, _ in rows if not ok}) / len(units)
        sharp = len(units - {e.unit for e, _, _, ok in rows if not ok}) / len(units)
        same = sum(a == b for a, (_, _, b, _) in zip(theirs, rows, strict=True))
        scored.append(
            CategoryScore(category, len(units), round(ours * len(units)), round(sharp * len(units)), None)
        )
        sums.update(
            entries=len(rows),
            same=same,
            valid=sum(theirs),
            equal=isinstance(whole, float) and abs(whole - ours) < 0.0006,
        )
        print(
            f"{category:45}{len(rows):8}{len(units):8}"
            f"{whole if isinstance(whole, str) else f'{whole:.3f}':>9}{ours:8.3f}{sharp:8.3f}{same:14}"
        )
    print(
        f"labels: officially right {sums['valid']}/{sums['entries']}, same verdict"
        f" {sums['same']}/{sums['entries']},",
        end=" ",
    )
    print(f"same accuracy in {sums['equal']}/{len(loaded)} categories")
    print(
        "the labels in sum, officially:",
        "; ".join(f"{t.language} {t.name} {t.official.value:.4f}" for t in totals(scored)),
    )


def changes(script: Script, loaded: dict[str, list[Entry]], per: int) -> None:
    """Both verdicts on `per` changed answers of each kind and category."""
    by_category: dict[str, Counter[str]] = {category: Counter() for category in loaded}
    by_kind: dict[str, Counter[str]] = {}
    differing = []
    for category, found in tqdm(loaded.items(), desc="changed answers"):
        for kind in SPECIAL if "special" in category else NORMAL:
            rng = random.Random(f"{category} {kind}")
            cases = ((e, changed(e, kind, rng)) for e in rng.sample(found, len(found)))
            for _, (entry, made) in zip(range(per), ((e, m) for e, m in cases if m), strict=False):
                text, ours, sharp, error = made
                theirs = script.valid(entry, text)
                name = ("special: " if "special" in category else "") + kind
                for count in (by_category[category], by_kind.setdefault(name, Counter())):
                    count.update(n=1, accepted=theirs, strict=sharp, same=theirs == ours)
                if theirs != ours:
                    differing.append(
                        f"{entry.id}, {kind}: official {theirs}, ours {error or 'valid'}: {text[:200]}"
                    )
    for title, table in (("category", by_category), ("kind of change", by_kind)):
        print(
            f"\n{title:45}{'cases':>7}{'officially accepted':>21}{'strictly accepted':>19}"
            f"{'same verdict':>14}"
        )
        for name, n in table.items():
            print(f"{name:45}{n['n']:7}{n['accepted']:21}{n['strict']:19}{n['same']:14}")
    n, same = (sum(c[k] for c in by_category.values()) for k in ("n", "same"))
    lo, hi = wilson(same, n)
    print(f"changed answers: same verdict {same}/{n} = {same / n:.4f} [{lo:.4f}, {hi:.4f}]")
    print("\n".join(differing))


def main() -> None:
    """Parse the arguments and print both parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkout", type=Path, help="a checkout of ACEBench")
    parser.add_argument(
        "--per", type=int, default=60, help="changed answers of each kind in each category (default 60)"
    )
    given = parser.parse_args()
    loaded = {category: entries(given.checkout, category) for category in CATEGORIES}
    script = Script(given.checkout)
    conversion(loaded)
    labels(script, loaded)
    changes(script, loaded, given.per)


if __name__ == "__main__":
    main()
