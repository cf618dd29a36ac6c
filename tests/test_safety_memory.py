"""Memory: what is not needed is not held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from looptool_kit.core.records import Expansions, Probe, Probes, Verdicts
from looptool_kit.core.samples import Label, Message, Sample, Samples
from looptool_kit.core.toolcalls import Answer
from looptool_kit.run.folder import Run

# ------------------------------------------------------------------ memory

GROWN = r"""
import re, sys
from pathlib import Path
from looptool_kit import formats
from looptool_kit.checks.dedup import repeats
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import Stored
from looptool_kit.report import summary
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose import compose
import pyarrow.parquet, jinja2, looptool_kit.checks.rules, looptool_kit.stages.expand.slots
work, folder = sys.argv[1], Path(sys.argv[2])
def peak(): return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024
before = peak()
if work.startswith("import"):
    data = "data.json" if work == "import a list" else "data.jsonl"
    counts = formats.convert(folder / data, folder / "out.parquet", folder / "aside.jsonl")[:2]
    assert counts == (8000, 0)
elif work == "near-duplicates":
    assert len(repeats(Stored(Samples, folder / "run" / "iterations" / "01" / "samples.parquet"))) == 0
elif work.startswith("export"):
    samples = Samples.read(folder / "run" / "iterations" / "01" / "samples.parquet")
    before = peak()
    formats.write(samples, folder / work, "openai")
elif work.startswith("compose"):
    compose(Run.open(folder / "run"), iteration=1)
else:
    summary.report_run(Run.open(folder / "run", read_only=True))
print(peak() - before)
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the peak of a process's own memory is known on Linux only"
)
@pytest.mark.parametrize(
    ("work", "most"),
    [
        ("import", 350),
        ("import a list", 300),
        ("compose", 250),
        ("compose long samples", 290),
        ("report", 350),
        ("near-duplicates", 310),
        ("export.jsonl", 100),
        ("export.parquet", 200),
    ],
)
def test_memory_does_not_grow_with_what_is_not_needed(tmp_path: Path, work: str, most: int) -> None:
    """Import holds no row, compose no token and only samples that can join; a report only the samples that it
    shows, an export no row that it writes. MiB; holding all takes twice as much.
    """
    if work.startswith("import"):
        row = {
            "messages": [{"role": "user", "content": "x " * 10_000}, {"role": "assistant", "content": "No."}]
        }
        rows_in = (
            json.dumps({"messages": [{"role": "system", "content": str(number)}, *row["messages"]]})
            for number in range(8000)
        )
        if work == "import":
            (tmp_path / "data.jsonl").write_text("\n".join(rows_in))
        else:
            (tmp_path / "data.json").write_text(f"[{', '.join(rows_in)}]")
    else:
        run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=9000)
        long = "x" * (100 if work == "compose" else 20_000)
        rows = Samples(
            Sample(
                tools=(), messages=(Message(role="user", content=f"{n} {long}"),), label=Label(reply="No.")
            )
            for n in range(9000)
        )
        size = 400 if work == "compose" else 1
        tokens = {
            "tokens": ("ab",) * size,
            "token_ids": (1000,) * size,
            "logprobs": tuple(-0.25 - n / 1000 for n in range(size)),
        }
        probes = Probes(
            Probe(
                sample_id=s.id,
                iteration=1,
                text="Yes.",
                finish_reason="stop",
                perplexity=1.5,
                match=False,
                correct=False,
                state="failed",
                answer=Answer(text="Yes."),
                **tokens,
            )
            for s in rows
        )
        for name, j, table in (("pool", 0, rows[:1]), ("samples", 1, rows), ("probes", 1, probes)):
            table.write(run.folder(j) / f"{name}.parquet")
        for name, table in (("verdicts", Verdicts()), ("expansions", Expansions())):
            table.write(run.folder(1) / f"{name}.parquet")
        run.finish("probes", 1, "", 0.0, threshold=None)
        run.close()
    # What allocators keep for later differs from run to run by as much as is looked for.
    env = os.environ | {"MALLOC_ARENA_MAX": "2", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    command = [sys.executable, "-c", GROWN, work, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < most
