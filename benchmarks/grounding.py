"""How well grounding tells right values from wrong ones, on data of four kinds.

    looptool evaluate --suite bfcl --setup  # once, for the BFCL rows
    python benchmarks/grounding.py [--world 400] [--libraries]

Prints a table: right labels with an argument that grounding does not let pass (false alarms), and planted
wrong values that it does not let pass (caught). The data: the procedural world, BFCL's single-turn Python
entries, and two halves of a hand-written set (tests/text/said). The half `held_back` was written before the
change that it measures, and only its figures were looked at. With --libraries the hand-written numbers and
dates are also read by quantulum3, dateparser and recognizers-text, as far as they are installed.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from judge_report import bfcl

from looptool_kit.augment.planting import plant, values_of
from looptool_kit.checks.rules import GROUNDED, check_sample, groundings
from looptool_kit.core.samples import Sample
from looptool_kit.core.stats import wilson
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.grounding import ground
from looptool_kit.text.passages import dialogue
from looptool_kit.text.recognise import recognise
from looptool_kit.world import generate

KINDS = ("wrong_value", "wrong_slot", "off_by_one_date", "extra_parameter", "swapped_values", "wrong_unit")
"""Planted errors of one argument's value. Others are not for grounding to find."""
SAID = Path(__file__).parent.parent / "tests" / "text" / "said"


def share(k: int, n: int) -> str:
    """A share with Wilson's 95% interval."""
    low, high = wilson(k, n)
    return f"{k} of {n}, {k / max(1, n):.1%} [{low:.1%}, {high:.1%}]"


def is_alarmed(sample: Sample) -> bool:
    """True where a label that keeps the schemas does not pass grounding."""
    return any(c.name == "grounding" and not c.passed for c in check_sample(sample))


def caught(sample: Sample, wrong: Sample) -> bool:
    """True where grounding does not let a changed argument pass."""
    said = dialogue(sample)
    right = {(c.name, k): canonical(v) for c in sample.label.calls for k, v in c.arguments.items()}
    return any(
        g.supported < GROUNDED and right.get((c.name, k)) != canonical(c.arguments[k])
        for c in wrong.label.calls
        for k, g in groundings(c, sample.tools, said).items()
    )


def on_samples(samples: Sequence[Sample]) -> tuple[str, str]:
    """False alarms and caught errors on samples under right labels."""
    rows = [s for s in samples if s.label.calls]
    values, alarms, found, planted = values_of(rows), 0, 0, 0
    for s in rows:
        alarms += is_alarmed(s)
        rng = Random(f"grounding/{s.id}")
        for kind in KINDS:
            if (label := plant(s, kind, rng, values)) is not None:
                planted += 1
                found += caught(s, s.model_copy(update={"label": label}))
    return share(alarms, len(rows)), share(found, planted)


def said(half: str) -> list[dict[str, Any]]:
    """The rows of one half of the hand-written set."""
    return [json.loads(line) for line in (SAID / f"{half}.jsonl").read_text(encoding="utf-8").splitlines()]


def on_said(half: str) -> tuple[str, str]:
    """The same on one half of the hand-written set."""
    rows = said(half)

    def stands(row: dict[str, Any], value: Any) -> bool:
        return ground(value, row["schema"], [row["request"]], row["parameter"]).supported >= GROUNDED

    wrong = [(row, value) for row in rows for value in row["wrong"]]
    alarms = sum(not stands(row, row["right"]) for row in rows)
    return share(alarms, len(rows)), share(sum(not stands(*w) for w in wrong), len(wrong))


# ----------------------------------------------------------------- libraries


def _ours(text: str) -> Iterable[Any]:
    return [r for m in recognise(text) for r in m.readings]


def readers() -> dict[str, Callable[[str], Iterable[Any]]]:
    """Ours, and of the libraries those that are installed."""
    found: dict[str, Callable[[str], Iterable[Any]]] = {"ours": _ours}
    try:
        from quantulum3 import parser

        found["quantulum3"] = lambda text: [q.value for q in parser.parse(text)]
    except ImportError:
        pass
    try:
        from dateparser.search import search_dates

        found["dateparser"] = lambda text: [
            d.isoformat() for _, d in search_dates(text, languages=["en"]) or ()
        ]
    except ImportError:
        pass
    try:
        import recognizers_suite as suite

        def recognizers(text: str) -> Iterable[Any]:
            for read in (suite.recognize_number, suite.recognize_ordinal, suite.recognize_dimension):
                yield from (m.resolution["value"] for m in read(text, "en-us") if m.resolution)
            for m in suite.recognize_datetime(text, "en-us"):
                yield from (" ".join(map(str, v.values())) for v in (m.resolution or {}).get("values", ()))

        found["recognizers-text"] = recognizers
    except ImportError:
        pass
    return found


def _is_number(reading: Any) -> bool:
    try:
        float(reading)
    except (TypeError, ValueError):
        return False
    return True


def _reads(read: Callable[[str], Iterable[Any]], text: str, value: Any) -> bool:
    for reading in read(text):
        if isinstance(value, str):
            if value in str(reading) or (str(reading)[:1] == "-" and value.endswith(str(reading))):
                return True
        elif _is_number(reading) and abs(float(reading) - value) <= 1e-6 * abs(value):
            return True
    return False


def library_rows() -> list[str]:
    """One row a reader: numbers and dates of the hand-written set that it reads, and what it costs."""
    rows = [*said("development"), *said("held_back")]
    numbers = [r for r in rows if isinstance(r["right"], int | float) and not isinstance(r["right"], bool)]
    dates = [r for r in rows if r["parameter"] in ("date", "start_date", "depart", "end", "time")]
    lines = ["| reader | numbers | wrong numbers | dates and times | ms a request |", "|---|---|---|---|---|"]
    for name, read in readers().items():
        read("5 m on May 5")  # what is loaded once does not count
        started = time.process_time()
        cells = [
            f"{sum(_reads(read, r['request'], r['right']) for r in numbers)} of {len(numbers)}",
            f"{sum(_reads(read, r['request'], w) for r in numbers for w in r['wrong'])}",
            f"{sum(_reads(read, r['request'], r['right']) for r in dates)} of {len(dates)}",
        ]
        asked = len(numbers) + len(dates) + sum(len(r["wrong"]) for r in numbers)
        cells.append(f"{(time.process_time() - started) * 1000 / asked:.1f}")
        lines.append(f"| {' | '.join([name, *cells])} |")
    return lines


def table(world: int) -> list[str]:
    """The table, one row a data set."""
    lines = ["| data | false alarms on right labels | planted wrong values caught |", "|---|---|---|"]
    lines.append(f"| world | {' | '.join(on_samples(generate(world, seed=3)))} |")
    lines.append(f"| BFCL | {' | '.join(on_samples(bfcl(10_000)))} |")
    for half in ("development", "held_back"):
        lines.append(f"| hand-written, {half} | {' | '.join(on_said(half))} |")
    return lines


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--world", type=int, default=400)
    ask.add_argument("--libraries", action="store_true")
    given = ask.parse_args()
    print("\n".join(table(given.world)))
    if given.libraries:
        warnings.simplefilter("ignore")
        print("\n" + "\n".join(library_rows()))


if __name__ == "__main__":
    main()
