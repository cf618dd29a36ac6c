"""Samples of every source without a language model: do they pass the rules and execute to what they show?

    python benchmarks/sources.py [SOURCE ...] [--samples 500] [--read 40] [--seed 0] [--folder sources]

Prints a table: samples, those that pass the rule tier, those that execute to what they show (beside those in
which nothing can be run), what was rejected on the way with its reasons, and samples a second. For each
source the folder gets NAME.parquet, and NAME.txt with samples for reading, drawn at random. A source whose
files are there for these options is not drawn again, so a stopped command resumes; `--again` draws it.

Expanders get the error seeds of a scripted policy: it is wrong on half of D_1 by a planted error, and on half
of what expanders ask it. `repeat` repeats its seeds, and `llm` and `trees` need a model: they are left out.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

import made_up_tools
from _executed import Execute, carried_back, executed, searched

from looptool_kit.augment.evolve import Outcome, evolve
from looptool_kit.augment.planting import plant, values_of
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Probes, Verdict, Verdicts
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import write_json, write_text
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.core.versions import version
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import untrained
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import find
from looptool_kit.stages.expand.stage import expand
from looptool_kit.stages.probe import judge_completion
from looptool_kit.stages.seed.stage import seed as seed_stage
from looptool_kit.tools.own_tools import CATALOGUE
from looptool_kit.world import traces
from looptool_kit.world.procedural import Procedural, running
from looptool_kit.world.show import text_of

SEEDERS = ("world", "evolved", "procedural", "search", "templates")
EXPANDERS = ("world", "slots", "evolve", "procedural", "hardgen", "reverse")
SOURCES = (*SEEDERS, traces.SPLIT, *(f"expand-{name}" for name in EXPANDERS), "expand-search")
MIN_FIRST = 60
"""Samples of D_1 for expanders at the least, or hardly any tool fails often enough."""
CHILDREN = 5
"""Children of an error seed."""
ERRORS = ("wrong_value", "wrong_slot", "extra_parameter", "missing_parameter", "wrong_tool")
"""What the scripted policy gets wrong in a call, where the sample has a place for it."""
OWN_TOOLS = 60
"""Made-up tools for the source `templates`."""
HOW: dict[str, dict[str, Any]] = {
    "hardgen": {"hardgen__second": "", "hardgen__fails_share": 0.3},
    # Proposals enough that the failed ones of the last round are as many as the children wanted.
    "reverse": {"reverse__proposals": 2400, "reverse__unsolved": 0.5},
}


class Scripted:
    """A policy that is wrong on half of what it is asked, another half each time."""

    def __init__(self, samples: Sequence[Sample], seed: int) -> None:
        self._values, self._seed = values_of(samples), seed

    def plan(self, chats: Sequence[Sample], n: int = 1) -> list[list[int]]:
        return [list(range(at, min(at + 50, len(chats)))) for at in range(0, len(chats), 50)]

    def generate(self, chats: Sequence[Sample], sampling: Sampling) -> list[list[Completion]]:
        return [[self.answer(s, (sampling.seed, i)) for i in range(sampling.n)] for s in chats]

    def answer(self, sample: Sample, number: Any = 0) -> Completion:
        rng = Random(f"{self._seed}/{sample.id}/{number}")
        label = sample.label if rng.random() < 0.5 else self._wrong(sample, rng)
        return Completion(render_answer(label), (1, 2), (-0.1, -0.1), ("a", "b"), "stop")

    def _wrong(self, sample: Sample, rng: Random) -> Label:
        for kind in rng.sample(ERRORS, len(ERRORS)):
            if sample.label.calls and (label := plant(sample, kind, rng, self._values)):
                return label
        return Label(reply="I am not sure what you want.") if sample.label.calls else Label(calls=())


# ------------------------------------------------------------------------------ drawing


class Drawn:
    """What a source has drawn, and what it rejected."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.rejected: Counter[str] = Counter()
        self.evolved: dict[str, Outcome] = {}
        """Sample id -> what it was evolved from."""

    def watch(self, *args: Any, **more: Any) -> list[Outcome]:
        """Evolve, and remember."""
        outcomes = evolve(*args, **more)
        self.evolved |= {o.sample.id: o for o in outcomes if o.sample}
        return outcomes


def seeded(name: str, count: int, seed: int, folder: Path) -> Drawn:
    """`count` samples of a seeder, drawn as the stage draws them."""
    out = Drawn()
    if name == traces.SPLIT:
        out.samples = traces.generate(count, seed)
        return out
    more = {"seeds__source": name, "seeds__first": count, "seeds__noise": 0.0, "seeds__held_out": 1}
    with Run.create(folder, "cpu", seed=seed, iterations=1, seeds__domains=[], **more) as run:
        if name == "templates":
            write_json(run.path / CATALOGUE, own_tools())

        def reject(file: str, row: int, raw: str, reason: str) -> None:
            out.rejected[reason.split(":")[0]] += 1

        with patch("looptool_kit.stages.seed.evolved.evolve", out.watch):
            pool, *_ = find("looptool_kit.stages.seed", name).draw(run, count, None, reject)
        out.samples = list(pool)[:count]
    return out


def own_tools() -> list[dict[str, Any]]:
    """Made-up tools as a catalogue, no name twice."""
    found = {t.name: t for s in made_up_tools.generate(200, "sources") for t in s.tools}
    return [{"type": "function", "function": t.model_dump()} for t in list(found.values())[:OWN_TOOLS]]


def expanded(name: str, count: int, seed: int, folder: Path) -> Drawn:
    """Children of the expander, as the stage makes and checks them, until they are `count`."""
    out, source = Drawn(), "search" if name == "search" else "world"
    expander = "world" if name == "search" else name
    more = {
        "seeds__source": source, "seeds__first": max(count, MIN_FIRST), "seeds__noise": 0.0,
        "seeds__held_out": 1, "seeds__domains": [],
        "expand__expanders": [expander], "expand__children": CHILDREN, "expand__most": 2 * count,
        **HOW.get(name, {}),
    }  # fmt: skip
    with Run.create(folder, "cpu", seed=seed, iterations=1, **more) as run, ExitStack() as stack:
        samples = seed_stage(run)
        policy = Scripted(samples, seed)
        probes = Probes(judge_completion(s, policy.answer(s), 1) for s in samples)
        probes.write(run.folder(1) / "probes.parquet")
        failed = [p.sample_id for p in probes if not p.correct]
        verdicts = Verdicts(
            Verdict(sample_id=i, iteration=1, status="judged", verdict="PRED_WRONG") for i in failed
        )
        verdicts.write(run.folder(1) / "verdicts.parquet")
        for place, attribute, value in (
            ("hardgen", "open_engine", lambda *_: policy),
            ("_proposals", "open_engine", lambda *_: policy),
            *((p, "policy_of", lambda run, j: untrained(run.settings)) for p in ("hardgen", "reverse")),
            ("_proposals", "policy_of", lambda run, j: untrained(run.settings)),
            ("evolve", "evolve", out.watch),
        ):
            module = import_module(f"looptool_kit.stages.expand.{place}")
            stack.enter_context(patch.object(module, attribute, value))
        rows = expand(run, verdicts, 1)
    for row in rows:
        bad = next((c for c in row.checks if not c.passed), None)
        if bad:
            out.rejected[f"{bad.name}: {bad.detail}" if bad.name == "grounding" else bad.name] += 1
    out.samples = [row.sample for row in rows if row.accepted][:count]
    return out


# ------------------------------------------------------------------------------ checking


def executes(name: str, drawn: Drawn) -> Execute:
    """What executes a sample of this source."""
    known: Mapping[str, Any] = running(Procedural(seed=0)) if "procedural" in name else running()
    if name in ("evolved", "expand-evolve"):
        return lambda s: carried_back(drawn.evolved[s.id], known)
    if name in ("search", "expand-search"):
        return searched
    if name == "templates":
        return lambda s: None  # nobody's tools run
    return lambda s: executed(s, known)


def checked(name: str, drawn: Drawn, seconds: float) -> dict[str, Any]:
    """The row of the table."""
    broken, wrong = Counter[str](), Counter[str]()
    passed = ran = right = 0
    execute = executes(name, drawn)
    for sample in drawn.samples:
        bad = [c for c in check_sample(sample) if not c.passed]
        passed += not bad
        broken.update(f"{c.name}: {c.detail}" for c in bad)
        faults = execute(sample)
        if faults is not None:
            ran += 1
            right += not faults
            wrong.update(faults)
    return {
        "source": name,
        "samples": len(drawn.samples),
        "passed": passed,
        "broken": broken,
        "ran": ran,
        "right": right,
        "wrong": wrong,
        "rejected": drawn.rejected,
        "a_second": round(len(drawn.samples) / seconds, 1),
    }


def for_reading(samples: Sequence[Sample], count: int, seed: int) -> str:
    """Some of the samples in words, each with the tools' descriptions once."""
    rows = Random(f"{seed}/read").sample(list(samples), min(count, len(samples)))
    parts = []
    for number, sample in enumerate(rows, 1):
        tools = "\n".join(
            f"    {t.name}({', '.join(t.properties)}; required: {', '.join(t.required)}) {t.description}"
            for t in sample.tools
        )
        parts.append(f"--- {number} {sample.id}\n{text_of(sample)}\n{tools}")
    return "\n\n".join(parts) + "\n"


def made(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """The row of a source; it is drawn where it is not there for these options."""
    place: Path = options.folder / f"{name}.json"
    asked = {"samples": options.samples, "read": options.read, "seed": options.seed, "version": version()}
    if not options.again and place.exists():
        kept: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        if kept["asked"] == asked:
            return kept["row"]  # type: ignore[no-any-return]
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        draw = seeded if name in (*SEEDERS, traces.SPLIT) else expanded
        drawn = draw(name.removeprefix("expand-"), options.samples, options.seed, Path(folder) / "run")
        seconds = time.perf_counter() - started
    row = checked(name, drawn, seconds)
    Samples(drawn.samples).write(options.folder / f"{name}.parquet")
    write_text(options.folder / f"{name}.txt", for_reading(drawn.samples, options.read, options.seed))
    write_json(place, {"asked": asked, "row": row})
    return row


def lines(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table, and below it what is wrong."""
    heads = "source", "samples", "pass the rules", "execute", "nothing to run", "rejected", "samples/s"
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"
    for r in rows:
        told = ", ".join(f"{why} {n}" for why, n in Counter(r["rejected"]).most_common(4)) or "none"
        ran = f"{r['right']} of {r['ran']}" if r["ran"] else "-"
        still = r["samples"] - r["ran"]
        yield (
            f"| {r['source']} | {r['samples']} | {r['passed']} | {ran} | {still} | {told} | {r['a_second']} |"
        )
    for r in rows:
        for why, n in (*Counter(r["broken"]).most_common(5), *Counter(r["wrong"]).most_common(5)):
            yield f"- {r['source']}: {n} x {why}"


def main() -> None:
    """Draw, check and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("sources", nargs="*", metavar="SOURCE", help=f"of {', '.join(SOURCES)}; all by default")
    ask.add_argument("--samples", type=int, default=500)
    ask.add_argument("--read", type=int, default=40, help="samples that are written for reading")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--folder", type=Path, default=Path("sources"))
    ask.add_argument("--again", action="store_true", help="draw what is there already")
    options = ask.parse_args()
    if unknown := [s for s in options.sources if s not in SOURCES]:
        ask.error(f"there is no source {unknown[0]!r}; there are {', '.join(SOURCES)}")
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name in options.sources or SOURCES:
        rows.append(made(name, options))
        print(f"{name}: {rows[-1]['passed']} of {rows[-1]['samples']} pass", flush=True)
    print("\n".join(["", *lines(rows)]))


if __name__ == "__main__":
    main()
