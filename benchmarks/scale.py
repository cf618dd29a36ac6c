"""Commands on growing run folders: seconds and peak memory, each in a process of its own.

    python benchmarks/scale.py [--sizes 1000 10000 100000 1000000] [--stages compose report ...] [--again]

The samples are copies of ten thousand of the world's, each with other words, so that all differ. Probes,
verdicts and children are made up: a third of the samples failed, each of those has a verdict with eight
pieces of evidence, every twentieth sample has a child; a probe has thirty tokens. Everything that reads them
is the real command. `match`, `rules` and `dedup` read D1 from its file and go over it as the stages do.

What there is already is not measured again, so a run that was stopped resumes; --again measures the named
stages again. Tables and figures lie in runs/scale; the table stands in docs/scale.md between two marks.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

from _measure import measure
from _pages import wrapped
from bench_scale import probe_rows

from looptool_kit import formats, world
from looptool_kit.core.columns import GROUP_ROWS
from looptool_kit.core.parts import write_groups
from looptool_kit.core.records import Evidence, Expansion, Expansions, Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import Stored, atomic, write_json
from looptool_kit.core.toolcalls import Answer, match

ROOT = Path(__file__).resolve().parents[1]
KEPT = ROOT / "runs" / "scale"
PAGE = ROOT / "docs" / "scale.md"
MARKS = "<!-- measured: begin -->", "<!-- measured: end -->"
WORLD = 10_000
"""Samples of the world that all others are copies of."""
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]
STAGES = ("import", "match", "rules", "dedup", "compose", "report", "export", "audit")


# -------------------------------------------------------------------- data

TABLES: dict[str, str] = {
    "samples": "id", "probes": "sample_id", "verdicts": "sample_id", "expansions": "seed_id"
}  # fmt: skip
"""The tables of a run, and the column of each that names a sample."""
MARK = "P.S. WORDS"
"""Stands in the rows that are copied, where a copy has words of its own."""


def originals() -> Path:
    """Samples of the world, and what a run holds of them, in a folder: the rows that are copied."""
    folder = KEPT / "originals"
    if not (folder / "expansions.parquet").exists():
        samples = Samples(_marked(sample) for sample in world.generate(WORLD, seed=1))
        probes = Probes(probe_rows(samples))
        tables = samples, probes, Verdicts(verdict_rows(probes)), Expansions(child_rows(samples))
        for name, table in zip(TABLES, tables, strict=True):
            table.write(folder / f"{name}.parquet")
    return folder


def _marked(sample: Sample) -> Sample:
    first = next(i for i, m in enumerate(sample.messages) if m.role == "user")
    said = sample.messages[first]
    said = said.model_copy(update={"content": f"{said.content} {MARK}"})
    messages = (*sample.messages[:first], said, *sample.messages[first + 1 :])
    return sample.model_copy(update={"messages": messages})


def verdict_rows(probes: Iterable[Probe]) -> Iterator[Verdict]:
    """Verdicts on the failed, with as much evidence as the evidence judge weighs."""
    names = ("PRED_WRONG", "PRED_WRONG", "BOTH_WRONG", "PRED_WRONG", "BOTH_CORRECT", "LABEL_WRONG")
    weighed = tuple(
        Evidence(name=f"evidence {n}", for_label=0.9, for_prediction=0.1, words=f"the argument {n} is said")
        for n in range(8)
    )
    for at, probe in enumerate(p for p in probes if p.state == "failed"):
        yield Verdict(
            sample_id=probe.sample_id,
            iteration=1,
            status="judged",
            verdict=names[at % len(names)],  # type: ignore[arg-type]
            rationale="the label is said, the prediction is not",
            evidence=weighed,
            judge="benchmark",
        )


def child_rows(samples: Iterable[Sample]) -> Iterator[Expansion]:
    """A child of every twentieth sample, half of them accepted."""
    for at, sample in enumerate(islice(samples, 0, None, 20)):
        *before, last = sample.messages
        messages = (*before, last.model_copy(update={"content": f"{last.content} Thanks, {at}."}))
        child = sample.model_copy(update={"messages": messages, "parent": sample.id, "source": "expander"})
        yield Expansion(
            seed_id=sample.id, iteration=1, sample=child, strategy="made up", accepted=at % 2 == 0
        )


Words = tuple[dict[str, str], dict[str, str]]
"""By id of an original: what a copy of it says more, and the copy's id."""


def words(count: int) -> list[Words]:
    """What tells the copies in a run of `count` samples from their originals, ten thousand at a time."""
    spoken = ["".join(syllables) for syllables in product(SYLLABLES, repeat=3)]
    hashed = {s.id: s.canonical for s in Samples.read(originals() / "samples.parquet")}
    out, rng = list[Words](), random.Random(1)
    for start in range(0, count, len(hashed)):
        said = {id: f"P.S. {' '.join(rng.choices(spoken, k=16))}" for id in islice(hashed, count - start)}
        texts = ((id, hashed[id].replace(MARK, more).encode()) for id, more in said.items())
        out.append((said, {id: hashlib.sha256(text).hexdigest()[:16] for id, text in texts}))
    return out


def copies(name: str, told: list[Words]) -> Iterator[Any]:
    """A table of a run, as Arrow tables.

    A copy is made of the text of its row: to make the row would take longer than what is measured. It has
    the id that the row has.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    table, key = pq.read_table(originals() / f"{name}.parquet"), TABLES[name]
    changed = [column for column in ("messages", "sample") if column in table.column_names]
    of_all = table[key].to_pylist()
    texts = {column: table[column].to_pylist() for column in changed}
    for said, ids in told:
        places = [place for place, id in enumerate(of_all) if id in ids]
        made = table.take(places) if len(places) < len(table) else table
        of = [of_all[place] for place in places]
        new = {key: [ids[id] for id in of]}
        for column, rows in texts.items():
            lines = zip(of, (rows[place] for place in places), strict=True)
            new[column] = [text.replace(MARK, said[id]).replace(id, ids[id]) for id, text in lines]
        for column, values in new.items():
            made = made.set_column(made.column_names.index(column), column, pa.array(values, pa.string()))
        for first in range(0, len(made), GROUP_ROWS):
            yield made.slice(first, GROUP_ROWS)


def prepare(count: int) -> None:
    """Make the run folder; what is there already stays."""
    from looptool_kit.run.folder import Run

    settings = {
        "seeds__first": count - count // 10, "seeds__fresh": (count // 10,), "compose__hppl": count // 5,
        "iterations": 1,
    }  # fmt: skip
    with Run.create(KEPT / str(count) / "run", preset="cpu", **settings) as run:
        told = words(count)
        for name in TABLES:
            if not (file := run.folder(1) / f"{name}.parquet").exists():
                write_groups(file, copies(name, told))
        if not (pool := run.folder(0) / "pool.parquet").exists():
            write_groups(pool, copies("samples", told))
        run.finish("probes", 1, "benchmark", 0.0, threshold=1.5)
        run.finish("verdicts", 1, "benchmark", 0.0)
        run.finish("expansions", 1, "benchmark", 0.0)


def prepare_file(count: int) -> None:
    """Write the samples in the form of others, to be imported and audited."""
    stored = Stored(Samples, KEPT / str(count) / "run" / "iterations" / "01" / "samples.parquet")
    file = KEPT / str(count) / "data.jsonl"
    with atomic(file) as unfinished, open(unfinished, "w", encoding="utf-8") as lines:
        for at, sample in enumerate(stored):
            lines.write(json.dumps(formats.to_row(sample, "openai", at), ensure_ascii=False) + "\n")


READY: dict[str, Callable[[int], None]] = {"prepare": prepare, "prepare_file": prepare_file}
"""What makes the data, before anything is measured on them."""


# ------------------------------------------------------------------- stages


def work_of(stage: str, folder: Path) -> Callable[[], Any]:
    """What one stage does on a folder of `prepare`."""
    run, out = folder / "run", folder / "out"
    samples = Stored(Samples, run / "iterations" / "01" / "samples.parquet")
    if stage == "match":
        return lambda: sum(match(Answer.of(s.label), s.label) for s in samples)
    if stage == "rules":
        from looptool_kit.checks.rules import passes

        return lambda: sum(passes(s) for s in samples)
    if stage == "dedup":
        from looptool_kit.checks.dedup import repeats

        return lambda: len(repeats(samples))
    data = str(folder / "data.jsonl")
    return lambda: command(
        *{
            "import": ("import", data, str(out / "imported.parquet")),
            "compose": ("compose", str(run), "--iteration", "1"),
            "report": ("report", str(run)),
            "export": ("export", str(run), str(out / "out.jsonl"), "--form", "openai", "--iteration", "1"),
            "audit": ("audit", data, "--jsonl", str(out / "findings.jsonl")),
        }[stage]
    )


def command(*words: str) -> str:
    """Run `looptool` with these words, as the console script does."""
    from looptool_kit.cli import main

    sys.argv = ["looptool", *words]
    try:
        main()
    except SystemExit as done:
        if done.code:
            raise RuntimeError(f"looptool {' '.join(words)} ended with {done.code}") from None
    return " ".join(words[:1])


def one(stage: str, count: int) -> None:
    """Measure one stage in this process, and keep the figures."""
    folder = KEPT / str(count)
    (folder / "out").mkdir(parents=True, exist_ok=True)
    for old in (folder / "out").iterdir():
        old.unlink()
    if stage == "compose":  # what is there already is not composed again
        (folder / "run" / "iterations" / "01" / "composition.json").unlink(missing_ok=True)
    if stage in READY:
        cpu, wall, peak, value = measure(lambda: READY[stage](count))
    else:
        cpu, wall, peak, value = measure(work_of(stage, folder))
    print(f"{stage} of {count:,}: {cpu:.1f} CPU s, {wall:.1f} s, {peak:,.0f} MiB: {value}", flush=True)
    write_json(folder / f"{stage}.json", {"cpu": cpu, "wall": wall, "peak": peak})


# --------------------------------------------------------------------- page


def table(sizes: list[int], stages: tuple[str, ...]) -> str:
    """The measured figures; the exponent is that of CPU seconds between the two largest measured sizes."""
    lines = [
        "| stage | " + " | ".join(f"{n:,}: CPU s | MiB" for n in sizes) + " | exponent |",
        "| --- |" + " --- | --- |" * len(sizes) + " --- |",
    ]
    for stage in stages:
        figures = [_figures(stage, n) for n in sizes]
        cells = [f"{_short(f['cpu'])} | {f['peak']:,.0f}" if f else "not run | " for f in figures]
        measured = [(n, f) for n, f in zip(sizes, figures, strict=True) if f][-2:]
        growth = ""
        if len(measured) == 2:
            (small, a), (large, b) = measured
            growth = f"{math.log(b['cpu'] / a['cpu']) / math.log(large / small):.2f}"
        lines.append(f"| {stage} | {' | '.join(cells)} | {growth} |")
    return "\n".join(lines)


def _short(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"


def _figures(stage: str, count: int) -> dict[str, float] | None:
    file = KEPT / str(count) / f"{stage}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def main() -> None:
    """Measure what is missing, print the table, and write it into the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000, 1_000_000])
    ask.add_argument("--stages", nargs="+", default=STAGES, choices=STAGES)
    ask.add_argument("--again", action="store_true", help="measure the named stages again")
    ask.add_argument("--page", action="store_true", help="write the table into docs/scale.md")
    ask.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = ask.parse_args()
    if args.one:
        one(args.one[0], int(args.one[1]))
        return
    failed = []
    for count in args.sizes:
        file = ("prepare_file",) if {"import", "audit"} & set(args.stages) else ()
        for stage in ("prepare", *file, *args.stages):
            if (KEPT / str(count) / f"{stage}.json").exists() and not (args.again and stage not in READY):
                continue
            # A process of its own: the peak of one says nothing about another.
            done = subprocess.run([sys.executable, __file__, "--one", stage, str(count)], cwd=ROOT)
            failed += [f"{stage} of {count}"] * bool(done.returncode)
            if done.returncode and stage in READY:
                break
    said = table(args.sizes, args.stages)
    print(said)
    if args.page:
        from run import machine, versions

        begin, end = MARKS
        text = PAGE.read_text(encoding="utf-8")
        sub = f"<sub>`python benchmarks/scale.py`; {machine()}; {versions()}.</sub>"
        new = re.sub(
            f"{begin}.*{end}", lambda _: f"{begin}\n\n{said}\n\n{sub}\n\n{end}", text, flags=re.DOTALL
        )
        PAGE.write_text(wrapped(new), encoding="utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; the same command runs them again")


if __name__ == "__main__":
    main()
