"""Does the suite `bfcl` score what it should?

    looptool evaluate --suite bfcl --setup  # once
    python benchmarks/bfcl_agreement.py  # everything, all entries; some minutes
    python benchmarks/bfcl_agreement.py --skip-multi-turn  # about a minute

Ground truth and corrupted answers go through the official checkers, and our matcher is compared with them.
Prints for each category how the benchmark's own labels fare (an answer made of the first acceptable values),
how answers fare that must be wrong, and how often `acceptable.match_acceptable` gives the official verdict on
answers changed in 20 ways.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from tqdm.auto import tqdm

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.stats import wilson
from looptool_kit.stages.evaluate.bfcl.acceptable import match_acceptable
from looptool_kit.stages.evaluate.bfcl.env import VERSION, Worker
from looptool_kit.stages.evaluate.bfcl.labels import first_acceptable, language_of
from looptool_kit.stages.evaluate.bfcl.weights import MULTI_TURN, SINGLE_TURN

Calls = list[ToolCall]
Change = Callable[[Calls, dict[str, Any], random.Random], "Calls | None"]
"""Answer, entry, randomness -> the changed answer, or None where this one cannot be changed so."""


# ------------------------------------------------------------- changes


def _values(fits: Callable[[Any], bool], to: Callable[[Any], Any]) -> Change:
    """Change one argument that fits, also inside a list or object."""

    def change(calls: Calls, entry: dict[str, Any], rng: random.Random) -> Calls | None:
        places = [
            (at, path)
            for at, call in enumerate(calls)
            for path in _paths(call.arguments)
            if fits(_at(call.arguments, path))
        ]
        if not places:
            return None
        at, path = rng.choice(places)
        return _with(calls, at, arguments=_put(calls[at].arguments, path, to(_at(calls[at].arguments, path))))

    return change


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _paths(inner, (*path, key))


def _at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def _put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = _put(value[path[0]], path[1:], new)
    return copy


def _with(calls: Calls, at: int, **update: Any) -> Calls:
    return [*calls[:at], calls[at].model_copy(update=update), *calls[at + 1 :]]


def _arguments(
    pick: Callable[[ToolCall, dict[str, Any]], list[str]], to: Callable[[dict[str, Any], str], dict[str, Any]]
) -> Change:
    """Change one call's arguments at a name that `pick` offers."""

    def change(calls: Calls, entry: dict[str, Any], rng: random.Random) -> Calls | None:
        places = [(at, name) for at, call in enumerate(calls) for name in pick(call, entry)]
        if not places:
            return None
        at, name = rng.choice(places)
        return _with(calls, at, arguments=to(dict(calls[at].arguments), name))

    return change


def _required(call: ToolCall, entry: dict[str, Any]) -> list[str]:
    doc = next((d for d in entry["docs"] if d["name"].replace(".", "_") == call.name), {"parameters": {}})
    return [n for n in call.arguments if n in (doc["parameters"].get("required") or ())]


def _other_tool(calls: Calls, entry: dict[str, Any], rng: random.Random) -> Calls | None:
    if not calls:
        return None
    at = rng.randrange(len(calls))
    others = [n for d in entry["docs"] if (n := d["name"].replace(".", "_")) != calls[at].name]
    return _with(calls, at, name=rng.choice(others)) if others else None


def _is(*kinds: type) -> Callable[[Any], bool]:
    return lambda v: type(v) in kinds


CHANGES: dict[str, Change] = {
    "no call": lambda calls, entry, rng: [] if calls else None,
    "one call more": lambda calls, entry, rng: [*calls, calls[0]] if calls else None,
    "one call fewer": lambda calls, entry, rng: calls[:-1] if len(calls) > 1 else None,
    "calls in reverse": lambda calls, entry, rng: calls[::-1] if len(calls) > 1 else None,
    "name unknown": lambda calls, entry, rng: _with(calls, 0, name=calls[0].name + "_x") if calls else None,
    "another tool": _other_tool,
    "required parameter missing": _arguments(_required, lambda a, n: {k: v for k, v in a.items() if k != n}),
    "optional parameter missing": _arguments(
        lambda c, e: [n for n in c.arguments if n not in _required(c, e)],
        lambda a, n: {k: v for k, v in a.items() if k != n},
    ),
    "parameter unknown": lambda calls, entry, rng: (
        _with(calls, 0, arguments={**calls[0].arguments, "bogus": 1}) if calls else None
    ),
    "parameter renamed": _arguments(
        lambda c, e: list(c.arguments), lambda a, n: {(k + "_x" if k == n else k): v for k, v in a.items()}
    ),
    "words added": _values(_is(str), lambda v: v + " qzx"),
    "upper case and a full stop": _values(_is(str), lambda v: v.upper() + "."),
    "exclamation mark": _values(_is(str), lambda v: v + "!"),
    "number off by one": _values(_is(int, float), lambda v: v + 1),
    "whole number as fraction": _values(_is(int), float),
    "number or truth value as text": _values(_is(int, float, bool), str),
    "truth value flipped": _values(_is(bool), lambda v: not v),
    "list in reverse": _values(lambda v: isinstance(v, list) and len(v) > 1, lambda v: v[::-1]),
    "list item missing": _values(lambda v: isinstance(v, list) and len(v) > 0, lambda v: v[:-1]),
    "null": _values(lambda v: True, lambda v: None),
}
MUST_FAIL = (
    "no call",
    "one call more",
    "name unknown",
    "required parameter missing",
    "parameter unknown",
    "words added",
)
"""Changes after which no label can accept the answer. For irrelevance no call is right, so there the wrong
answer is a call; in Java and JavaScript words are not added, because the official reader passes over what
follows a literal.
"""


# --------------------------------------------------------------- parts


def truth_of(entry: dict[str, Any], category: str) -> Calls:
    """What the label accepts.

    For relevance, where any call is right, and irrelevance, where none is: a call of the first tool.
    """
    if "relevance" in category:
        return (
            [ToolCall(name=entry["docs"][0]["name"].replace(".", "_"))]
            if entry["docs"]
            else [ToolCall(name="anything")]
        )
    return list(first_acceptable(entry["truth"], entry["docs"], language_of(category)))


def official(worker: Worker, entry: dict[str, Any], calls: Calls) -> tuple[bool, str]:
    """(valid, error type)."""
    said = worker.ask("check", id=entry["id"], calls=[[c.name, c.arguments] for c in calls])
    return said["valid"], said["error_type"]


def single_turn(worker: Worker, loaded: dict[str, list[dict[str, Any]]]) -> None:
    """Ground truth and answers that must fail."""
    print(f"{'category':26}{'n':>6}{'truth valid':>13}{'corrupted':>11}{'of them valid':>15}")
    total: Counter[str] = Counter()
    unsatisfied = []
    for category, entries in loaded.items():
        count: Counter[str] = Counter()
        rng = random.Random(category)
        for entry in tqdm(entries, desc=category, leave=False):
            truth = truth_of(entry, category)
            right = [] if "irrelevance" in category else truth
            valid = official(worker, entry, right)[0]
            count["n"] += 1
            count["valid"] += valid
            if not valid:
                unsatisfied.append(entry["id"])
            if "irrelevance" in category:
                wrongs = [truth]
            elif "relevance" in category:
                wrongs = [[]]
            else:
                kinds = [
                    kind for kind in MUST_FAIL if kind != "words added" or language_of(category) == "python"
                ]
                wrongs = [made for kind in kinds if (made := CHANGES[kind](truth, entry, rng)) is not None]
            for made in wrongs:
                count["corrupted"] += 1
                count["wrongly valid"] += official(worker, entry, made)[0]
        print(
            f"{category:26}{count['n']:6}{count['valid']:13}{count['corrupted']:11}"
            f"{count['wrongly valid']:15}"
        )
        total += count
    print(
        f"{'single-turn':26}{total['n']:6}{total['valid']:13}{total['corrupted']:11}"
        f"{total['wrongly valid']:15}"
    )
    print(
        f"ground truth: {total['valid']}/{total['n']} = {100 * total['valid'] / total['n']:.2f}%; not valid:"
        f" {', '.join(unsatisfied)}"
    )


def multi_turn(worker: Worker) -> None:
    """Ground truth through the official environments, and dialogues that must fail."""
    print(
        f"{'category':26}{'n':>6}{'truth valid':>13}{'silent valid':>13}{'a turn left out':>16}"
        f"{'wrong names':>12}"
    )
    total = 0
    valid_total = 0
    for category in MULTI_TURN:
        entries = worker.ask("entries", category=category)
        rng = random.Random(category)
        count: Counter[str] = Counter()
        for entry in tqdm(entries, desc=category, leave=False):
            truth = [[turn] if turn else [] for turn in entry["truth"]]
            omitted = rng.choice([at for at, turn in enumerate(truth) if turn])
            dialogues = {
                "truth": truth,
                "silent": [[] for _ in truth],
                "omitted": [[] if at == omitted else turn for at, turn in enumerate(truth)],
                "names": [[[f"x_{call}" for call in step] for step in turn] for turn in truth],
            }
            for name, turns in dialogues.items():
                count[name] += worker.ask("check_turns", id=entry["id"], turns=turns, source=True)["valid"]
        total += len(entries)
        valid_total += count["truth"]
        print(
            f"{category:26}{len(entries):6}{count['truth']:13}{count['silent']:13}{count['omitted']:16}{count['names']:12}"
        )
    print(f"ground truth: {valid_total}/{total} = {100 * valid_total / total:.2f}%")


def agreement(worker: Worker, loaded: dict[str, list[dict[str, Any]]], per: int) -> None:
    """Compare our matcher's verdicts with the official ones.

    There are `per` cases of each kind of change in each category.
    """
    cases: Counter[bool] = Counter()
    same: Counter[bool] = Counter()
    same_error: Counter[bool] = Counter()
    by_kind: dict[str, Counter[str]] = {kind: Counter() for kind in CHANGES}
    differing = []
    for category, entries in loaded.items():
        foreign = language_of(category) != "python"
        for kind, change in CHANGES.items():
            rng = random.Random(f"{category} {kind}")
            made = 0
            for entry in rng.sample(entries, len(entries)):
                answer = change(truth_of(entry, category), entry, rng)
                if answer is None:
                    continue
                theirs = official(worker, entry, answer)
                ours = match_acceptable(
                    answer, entry["truth"], entry["docs"], language_of(category), category
                )
                cases[foreign] += 1
                same[foreign] += ours.valid == theirs[0]
                same_error[foreign] += (ours.valid, ours.error_type) == theirs
                by_kind[kind]["n"] += 1
                by_kind[kind]["accepted"] += theirs[0]
                by_kind[kind]["same"] += ours.valid == theirs[0]
                if ours.valid != theirs[0]:
                    differing.append(
                        f"{entry['id']}, {kind}: official {theirs}, ours {ours.error_type or 'valid'}"
                    )
                made += 1
                if made == per:
                    break
    print(f"{'change':32}{'cases':>7}{'officially accepted':>21}{'same verdict':>14}")
    for kind, n in by_kind.items():
        print(f"{kind:32}{n['n']:7}{n['accepted']:21}{n['same']:14}")
    for foreign, name in ((False, "outside Java and JavaScript"), (True, "Java and JavaScript")):
        if n := cases[foreign]:
            lo, hi = wilson(same[foreign], n)
            print(
                f"{name}: same verdict {same[foreign]}/{n} = {same[foreign] / n:.4f} [{lo:.4f}, {hi:.4f}],"
                f" same error too {same_error[foreign]}/{n}"
            )
    print("\n".join(differing))


def main() -> None:
    """Parse the arguments and print the three parts."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--per",
        type=int,
        default=3,
        help="cases of each kind of change in each category (default 3: more than 520 in all)",
    )
    parser.add_argument("--skip-multi-turn", action="store_true")
    given = parser.parse_args()
    print(f"bfcl-eval {VERSION}")
    with Worker() as worker:
        loaded = {category: worker.ask("entries", category=category) for category in SINGLE_TURN}
        single_turn(worker, loaded)
        agreement(worker, loaded, given.per)
        if not given.skip_multi_turn:
            multi_turn(worker)


if __name__ == "__main__":
    main()
