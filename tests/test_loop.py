"""The whole loop: on a tiny random model (kills, resume, decisions), and on the embedded model for real."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from scripted_loop import in_silence, processes

import looptool_kit as lt
from looptool_kit.core.records import Expansions, Members, Probes, Scores, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import aligned, paired
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import scores
from looptool_kit.stages.expand.stage import expand

TINY = [
    *(
        "seeds.first=12",
        "seeds.fresh=[4]",
        "seeds.held_out=2",
        "seeds.noise=0.2",
        "iterations=1",
        "sft.epochs=1",
        "sft.batch=4",
        "sft.micro_batch=4",
    ),
    *(
        "grpo.steps=1",
        "grpo.prompts=2",
        "grpo.group=2",
        "grpo.max_new_tokens=8",
        "probe.max_new_tokens=12",
        "probe.batch=4",
    ),
    *("evaluate.max_new_tokens=8", "expand.children=1", "expand.most=8"),
]


def command(folder: Path, checkpoint: Path) -> list[str]:
    sets = [part for pair in (*TINY, f"model={checkpoint}") for part in ("--set", pair)]
    return [sys.executable, "-m", "looptool_kit.cli", "loop", str(folder), "--preset", "cpu-quick", *sets]


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def undisturbed(wordy_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("loop") / "run"
    done = subprocess.run(
        command(folder, wordy_checkpoint), env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "held-out exact match" in done.stdout and (folder / "report.html").exists()
    peaks = [
        json.loads(path.read_text())["peak_mb"]
        for path in folder.rglob("*.json")
        if "peak_mb" in path.read_text()
    ]
    assert re.search(rf"stages: (\d+ min )?[\d.]+ s, peak memory {max(peaks):,} MiB", done.stdout)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in sorted(folder.rglob("*.parquet"))
        if "rollouts" not in str(p)
    }


MOMENTS = (
    "seed/held_out.parquet",
    "iterations/01/policy/sft/checkpoint-*",
    "iterations/01/probes_raw.parts/*.parquet",
    "iterations/01/verdicts.parts/*",
    "iterations/02/policy/sft/result.json",
    "iterations/02/policy/grpo/rollouts/*",
    "iterations/02/scores.parts/*",
)


@pytest.mark.timeout(1800)
def test_a_loop_killed_at_any_moment_ends_with_the_same_tables(
    undisturbed: Path, wordy_checkpoint: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    rng, context = random.Random(0), processes()
    kills = 0
    for moment in MOMENTS:
        process = context.Process(target=in_silence, args=(command(folder, wordy_checkpoint)[3:],))
        process.start()
        while process.is_alive() and not any(folder.glob(moment)):
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.3))
        kills += process.is_alive()
        process.kill()
        process.join()
    done = subprocess.run(
        command(folder, wordy_checkpoint), env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert kills >= 5
    a, b = contents(undisturbed), contents(folder)
    assert a.keys() == b.keys()
    assert [name for name in a if a[name] != b[name]] == []


def test_a_finished_loop_does_nothing_the_second_time(undisturbed: Path, wordy_checkpoint: Path) -> None:
    before = {
        p: p.stat().st_mtime_ns
        for p in undisturbed.rglob("*")
        if p.is_file() and p.name not in (".lock", "report.html")
    }
    started = time.monotonic()
    done = subprocess.run(
        command(undisturbed, wordy_checkpoint), env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert {p: p.stat().st_mtime_ns for p in before} == before, time.monotonic() - started


def test_ctrl_c_says_that_nothing_is_lost(wordy_checkpoint: Path, tmp_path: Path) -> None:
    start = command(tmp_path / "run", wordy_checkpoint)
    process = subprocess.Popen(
        start, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while (
        not (tmp_path / "run" / "iterations" / "01" / "samples.parquet").exists() and process.poll() is None
    ):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 130 and "resumes where it stopped" in said, said[-2000:]


def test_a_missing_model_is_one_paragraph(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    sets = [
        "--set",
        f"model={tmp_path / 'no' / 'such' / 'model'}",
        "--set",
        "seeds.first=8",
        "--set",
        "evaluate.base=false",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "looptool_kit.cli", "loop", str(folder), *sets], capture_output=True, text=True
    )
    assert done.returncode == 1 and "no/such/model" in done.stderr and "Traceback" not in done.stderr, (
        done.stderr[-2000:]
    )


def test_every_stage_left_its_table_and_rows_can_be_traced(undisturbed: Path) -> None:
    run = Run.open(undisturbed, read_only=True)
    samples, probes = run.table(Samples, "samples", 1), run.table(Probes, "probes", 1)
    assert [p.sample_id for p in probes] == [s.id for s in samples]
    failed = [p for p in probes if p.state == "failed"]
    assert [v.sample_id for v in run.table(Verdicts, "verdicts", 1)] == [p.sample_id for p in failed]
    for row in run.table(Expansions, "expansions", 1):
        assert (
            row.sample.parent == row.seed_id
            and row.checks
            and (not row.accepted or all(c.passed for c in row.checks))
        )
    members, second = run.table(Members, "members", 2), run.table(Samples, "samples", 2)
    assert [m.sample_id for m in members] == [s.id for s in second]
    pool = {s.id for s in run.table(Samples, "pool", 0)}
    for member, sample in zip(members, second, strict=True):
        if member.part == "EE":
            assert sample.parent == member.came_from
        assert (member.part == "seed") <= (sample.id in pool)
    counts = {part: sum(m.part == part for m in members) for part in ("ES", "EE", "HPPL", "seed", "unjudged")}
    row = lt.composition(run)[1]
    assert {k: row[k] for k in counts} == counts and row["total"] == len(second) and counts["seed"] == 4
    held_out = {s.id for s in run.table(Samples, "held_out", 0)}
    assert not held_out & {s.id for s in second}
    assert {s.sample_id for s in run.table(Scores, "scores", 2)} == held_out
    for probe in probes:
        assert (
            len(probe.tokens) == len(probe.logprobs) == len(probe.token_ids) and probe.perplexity >= 1 - 1e-6
        )


def test_the_same_lines_again_mean_the_same_iteration_and_do_nothing(
    undisturbed: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    run = Run.open(folder)
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*.json")}
    samples = lt.seed(run)
    policy = lt.train(run, samples)
    probes = lt.probe(run, samples, policy)
    verdicts = lt.verify(run, probes)
    expanded = lt.expand(run, verdicts)
    composed = lt.compose(run, probes, verdicts, expanded)
    assert policy.name == "D1" and {p.iteration for p in (*probes, *verdicts, *expanded)} == {1}
    assert composed == run.table(Samples, "samples", 2) and lt.train(run, composed).name == "D2"
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*.json")} == before


def test_a_persons_verdict_takes_effect_at_the_next_compose_and_can_be_undone(
    undisturbed: Path, tmp_path: Path
) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    run = Run.open(folder)
    verdict = run.table(Verdicts, "verdicts", 1)[0]
    before = lt.compose(run, iteration=1)
    run.decide("verdict", verdict.sample_id, "BOTH_WRONG", "both are off", author="ana")
    expand(run, iteration=1)
    after = lt.compose(run, iteration=1)
    assert verdict.sample_id in {s.id for s in before} and verdict.sample_id not in {s.id for s in after}
    assert not any(s.parent == verdict.sample_id for s in after)
    truth = (
        run.table(Samples, "samples", 1)
        .by_id()[verdict.sample_id]
        .label.model_copy(update={"reply": "Changed by hand.", "calls": ()})
    )
    run.decide(
        "verdict",
        verdict.sample_id,
        {"verdict": "LABEL_WRONG", "label": truth.model_dump(mode="json")},
        author="ana",
    )
    expand(run, iteration=1)
    changed = [s for s in lt.compose(run, iteration=1) if s.parent == verdict.sample_id and s.label == truth]
    assert len(changed) == 1 and changed[0].strategy == "judges.person:ana"
    for _ in range(2):
        run.decide("verdict", verdict.sample_id, "undo", author="ana")
    expand(run, iteration=1)
    assert lt.compose(run, iteration=1) == before


def test_rejected_and_accepted_expansions_are_obeyed(undisturbed: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(undisturbed, folder)
    run = Run.open(folder)
    rows = run.table(Expansions, "expansions", 1)
    taken = next((r for r in rows if r.accepted), None)
    if taken is None:
        pytest.skip("the random model's errors gave no accepted child")
    run.decide("expansion", taken.sample.id, "reject", author="ana")
    assert taken.sample.id not in {s.id for s in lt.compose(run, iteration=1)}


@pytest.mark.timeout(3600)
def test_the_quick_loop_on_the_embedded_model(tmp_path: Path) -> None:
    """What `make loop QUICK=1` runs, for real: the policy calls tools no worse than before."""
    folder = tmp_path / "quick"
    done = subprocess.run(
        [sys.executable, "-m", "looptool_kit.cli", "loop", str(folder), "--preset", "cpu-quick"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    run = Run.open(folder, read_only=True)
    assert run.iterations == [1, 2]
    found = scores(run)
    before, after = found["base"], found["D2"]
    assert len(before) == 60 and sum(s.correct for s in before) >= 24
    _, a, b = aligned(before, after)
    assert paired(a, b).hi >= 0, "the loop made the policy worse by more than chance does"
    trainings = [t["trainer"] for t in (run.manifest("policy", 2) or {})["trainings"]]
    assert trainings == ["sft", "grpo"] and "SFT" in done.stdout and "GRPO" in done.stdout
    assert done.stdout.startswith("1 iteration of the loop: about ")
    assert "Exact match on 60 unseen requests: " in done.stdout and "\nnext: open " in done.stdout
