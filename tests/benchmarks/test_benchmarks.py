"""The quick forms of the benchmarks run to the end and their checks of sameness hold. Nothing about time is
asserted.
"""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from looptool_kit.core.samples import Sample
from looptool_kit.policy.engines import Completion, Sampling

ROOT = Path(__file__).parents[2]


def quick(name: str, *more: str) -> str:
    script = ROOT / "benchmarks" / f"bench_{name}.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick", *more],
        capture_output=True,
        text=True,
        timeout=500,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("| ")
    return done.stdout


def test_match() -> None:
    said = quick("match")
    assert "- match, ours: 0 wrong of 300" in said and "- parse and match, ours: 0 wrong of 300" in said
    assert "comparer is not measured" in said


def test_rules() -> None:
    pytest.importorskip("jsonschema")
    said = quick("rules")
    failing = re.search(r"(\d+) of 300 calls do not satisfy their schema; the two disagree on 0 ", said)
    assert failing and 100 < int(failing[1]) < 200


def test_dedup() -> None:
    pytest.importorskip("datasketch")
    found, others = (
        float(x)
        for x in re.search(
            r"- ours: ([\d.]+)% of the planted found, ([\d.]+)% of the others", quick("dedup")
        ).groups()
    )  # type: ignore[union-attr]
    assert found >= 95 and others <= 1


def test_import() -> None:
    assert "heavy packages that it loads: none" in quick("import")


def test_audit() -> None:
    """Every kind has a row, what an error finds is wrong, and the planted errors are found."""
    said = quick("audit")
    (total,) = re.findall(r"^\| any error \|.*$", said, re.MULTILINE)
    assert all(int(k) <= 0.02 * int(n) for k, n in re.findall(r"(\d+) of (\d+) \|", total)), total
    assert all(float(recall) > 0.8 for recall in re.findall(r"\| ([\d.]+) \[", total)), total
    rows = {line.split(" | ")[0].removeprefix("| ") for line in said.splitlines()[2:]}
    from looptool_kit.audit.audit import kinds

    assert rows == {*kinds(), "any error"}


def test_scale() -> None:
    said = quick("scale")
    assert "200: " in said and "200 pass the rules; 0 near-duplicates" in said


def test_grpo() -> None:
    pytest.importorskip("trl")
    said = quick("grpo")
    for work in ("step400", "step800"):
        found = re.search(rf"- {work}: loss (\S+) and (\S+), norm of the gradient (\S+) and (\S+) ", said)
        assert found is not None
        assert float(found[1]) == pytest.approx(float(found[2]), rel=1e-3, abs=1e-6)
        assert float(found[3]) == pytest.approx(float(found[4]), rel=1e-3)


def test_sft() -> None:
    pytest.importorskip("trl")
    gap = re.search(r"difference between the losses of a step: (\S+)", quick("sft"))
    assert gap and float(gap[1]) < 1e-3


def test_probe() -> None:
    pytest.importorskip("torch")
    assert ", 0 of them by more than a tie" in quick("probe")


def test_a_failed_benchmark_fails_the_command_and_is_run_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import run

    for name, value in {
        "HERE": tmp_path,
        "ROOT": tmp_path,
        "KEPT": tmp_path / "kept",
        "PAGE": tmp_path / "page.md",
    }.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(sys, "argv", ["run.py"])
    script = tmp_path / "bench_some.py"
    script.write_text('"""What it is."""\nraise SystemExit(3)\n')
    with pytest.raises(SystemExit, match="failed: some"):
        run.main()
    assert "**Failed** with exit code 3" in (tmp_path / "page.md").read_text()
    script.write_text('"""What it is."""\nprint("| done |")\n')
    run.main()
    assert (
        "| done |" in (tmp_path / "page.md").read_text()
        and "Failed" not in (tmp_path / "page.md").read_text()
    )


def test_rewards_resumes_with_the_groups_that_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Stopped after some chunks, or asked for more groups: nothing that is there is drawn again."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    script = importlib.import_module("bench_rewards")
    asked: list[int] = []

    class Engine:
        def generate(self, samples: Sequence[Sample], sampling: Sampling) -> list[list[Completion]]:
            asked.append(len(samples))
            said = Completion("I cannot do that.", (), (), (), "stop")
            return [[said] * sampling.n for _ in samples]

    monkeypatch.setattr(script, "open_engine", lambda policy, batch: Engine())
    monkeypatch.setattr(script, "base_policy", lambda model: None)
    for groups, drawn in (("20", [10, 10]), ("20", [10, 10]), ("30", [10, 10, 10])):
        monkeypatch.setattr(sys, "argv", ["bench_rewards.py", "--groups", groups, "--work", str(tmp_path)])
        script.main()
        assert asked == drawn
    assert "30 groups of 6 completions" in capsys.readouterr().out
