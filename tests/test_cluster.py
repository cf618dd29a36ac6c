"""A Ray of two workers gives the tables of one process, and whatever is killed, nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from mock_llm import MockLLM
from paid_calls import at, echo, question

from looptool_kit import cluster
from looptool_kit.checks import near
from looptool_kit.checks.dedup import repeats
from looptool_kit.config.sections import ClusterSettings
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.llm.client import complete
from looptool_kit.llm.store import count_of
from looptool_kit.loop import Loop
from looptool_kit.run.folder import Run
from looptool_kit.world import generate

pytest.importorskip("ray.data", reason="Ray is not installed: pip install 'looptool-kit[ray]'")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
LOCAL = ClusterSettings(address="local", workers=2)
BATCHES = [[n] for n in range(8)]
IN_FLIGHT = 4
"""Batches that two workers hold at once: each has one at work and one that waits."""
TINY = {
    **{"seeds__first": 8, "seeds__fresh": [2], "seeds__held_out": 2, "seeds__noise": 0.2, "iterations": 1},
    **{"sft__epochs": 1, "sft__batch": 4, "sft__micro_batch": 4, "grpo__steps": 0, "evaluate__base": False},
    **{"probe__max_new_tokens": 12, "probe__batch": 4, "evaluate__max_new_tokens": 8},
    **{"expand__children": 1, "expand__most": 4},
}


@pytest.fixture(scope="module", autouse=True)
def beside_other_tests() -> Iterator[None]:
    """Ray gives way to whatever else runs; beside another worker of pytest that is half of the cores."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")
        yield


@pytest.fixture(scope="module")
def ray_of_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterSettings]:
    """A local Ray that ends with the module."""
    here = str(Path(__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH")))))
        with cluster.of(LOCAL):
            cluster.connected(LOCAL)
        yield LOCAL
        cluster.close()


def tables(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*.parquet"))}


def test_a_loop_on_two_workers_gives_the_tables_of_the_plain_run(
    ray_of_two: ClusterSettings, wordy_checkpoint: Path, tmp_path: Path
) -> None:
    for name, address in (("plain", ""), ("ray", "local")):
        where = {"cluster__address": address, "cluster__workers": 2}
        with Run.create(tmp_path / name, "cpu-quick", model=str(wordy_checkpoint), **(TINY | where)) as run:
            Loop(run, lambda _: None).run()
    plain, ray = tables(tmp_path / "plain"), tables(tmp_path / "ray")
    assert any("probes" in name for name in plain) and any("verdicts" in name for name in plain)
    assert ray == plain


def test_what_a_worker_raises_is_raised_here_and_what_it_may_not_write_is_done_here(
    ray_of_two: ClusterSettings, tmp_path: Path
) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")

    def work(item: int) -> int:
        if item == 1:
            raise ValueError("item 1 is bad")
        return item

    def writes(item: int) -> int:
        run.reject("file", item, "raw", "reason")
        return os.getpid()

    with cluster.of(ray_of_two):
        with pytest.raises(ValueError, match="^item 1 is bad$"):
            list(cluster.each([0, 1, 2], work))
        assert {pid for _, pid in cluster.each([0, 1], writes)} == {os.getpid()}
    assert len((run.path / "rejected.jsonl").read_text().splitlines()) == 2


def test_a_killed_worker_repeats_its_batches_and_one_that_kills_each_ends_the_stage(
    ray_of_two: ClusterSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = Samples(generate(8, seed=1))
    marks = tmp_path / "marks"
    run = Run.create(tmp_path / "run", "cpu-quick")

    def work(batch: list[int]) -> Samples:
        with marks.open("a") as log:
            log.write(f"{batch[0]}\n")
        if batch == [3] and marks.read_text().split().count("3") == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return Samples(samples[i] for i in batch)

    def deadly(batch: list[int]) -> Samples:
        if batch == [0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return Samples(samples[i] for i in batch)

    with cluster.of(ray_of_two):
        assert run.batches("probes", 1, "key", BATCHES, Samples, work) == samples
        counts = Counter(marks.read_text().split())
        assert counts["3"] == 2 and len(counts) == 8 and counts.total() <= 8 + IN_FLIGHT
        monkeypatch.setattr(cluster, "RETRIES", 1)  # each start of a worker takes seconds
        with pytest.raises(RunError, match="was lost .*start the same command again"):
            run.batches("others", 1, "key", BATCHES[:2], Samples, deadly)


def test_near_duplicates_by_bands_on_workers_are_those_of_one_process(
    ray_of_two: ClusterSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [row for row in generate(60, seed=3) for _ in range(2)]
    rows = [_reworded(row, at) for at, row in enumerate(rows)]
    plain = repeats(rows)
    assert 10 < len(plain) < 100
    used, through = list[int](), cluster.each
    monkeypatch.setattr(near, "BATCH_ROWS", 40)
    monkeypatch.setattr(cluster, "each", lambda items, work: used.append(len(items)) or through(items, work))
    with cluster.of(ray_of_two):
        assert repeats(rows) == plain
    assert used[:2] == [3, near.BANDS] and len(used) == 3, "sketches, bands and pairs are made by workers"


def _reworded(row: Sample, at: int) -> Sample:
    *before, last = row.messages
    words = last.content + " please" * (at % 3) + f" {at}" * (at % 5 == 0)
    return row.model_copy(update={"messages": (*before, last.model_copy(update={"content": words}))})


def test_calls_of_workers_are_paid_once_and_stand_in_the_store(
    ray_of_two: ClusterSettings, tmp_path: Path
) -> None:
    store, asked = tmp_path / "calls.sqlite", [question(n) for n in range(40)]
    with MockLLM(echo, latency=0.01) as server:
        endpoint = at(server, concurrency=4)
        plain = complete(asked[:8], endpoint, store)
        with cluster.of(ray_of_two):
            replies = complete(asked, endpoint, store)
            again = complete(asked, endpoint, store)
        assert len(server.log) == 40 == count_of(store, "mock") and server.in_flight <= 4
    assert [r.text for r in replies] == [f"said {n}" for n in range(40)] == [r.text for r in again]
    assert [r.text for r in replies[:8]] == [r.text for r in plain] and all(r.cached for r in again)


DRIVER = """
import sys, time
from pathlib import Path
from looptool_kit import cluster
from looptool_kit.config.sections import ClusterSettings
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.world import generate

folder, marks = Path(sys.argv[1]), Path(sys.argv[2])
samples = Samples(generate(8, seed=1))

def work(batch):
    with marks.open("a") as log:
        log.write(f"{batch[0]}\\n")
    time.sleep(0.5)
    return Samples(samples[i] for i in batch)

run = Run.open(folder)
with cluster.of(ClusterSettings(address="local", workers=2)):
    assert run.batches("probes", 1, "key", [[n] for n in range(8)], Samples, work) == samples
"""


def test_after_a_kill_of_driver_and_of_head_the_same_command_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "2")
    Run.create(tmp_path / "run", "cpu-quick").close()
    marks, parts = tmp_path / "marks", tmp_path / "run" / "iterations" / "01" / "probes.parts"
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "run"), str(marks)]
    kept: dict[Path, int] = {}
    for whom in ("driver", "head"):
        first = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        while first.poll() is None and len(list(parts.glob("*.parquet"))) < len(kept) + 2:
            time.sleep(0.05)
        assert first.poll() is None, whom
        if whom == "driver":
            first.kill()
        else:
            for process in psutil.Process(first.pid).children():
                if process.name() in ("raylet", "gcs_server"):
                    process.kill()
        _, said = first.communicate(timeout=120)
        assert first.returncode != 0, said
        now = {p: p.stat().st_mtime_ns for p in parts.glob("*.parquet")}
        assert {p: now[p] for p in kept} == kept, "nothing that is kept is made again"
        assert len(now) >= len(kept) + 2
        kept = now
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert {p: p.stat().st_mtime_ns for p in kept} == kept, "nothing that is kept is made again"
    counts = Counter(marks.read_text().split())
    assert len(counts) == len(BATCHES) and counts.total() <= len(BATCHES) + 2 * IN_FLIGHT


def test_without_the_setting_nothing_of_ray_is_loaded_and_a_wrong_address_has_a_remedy() -> None:
    code = "import sys; from looptool_kit import cluster; cluster.close(); print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
    for wrong in ("somewhere", "http://host:1", "ray://host"):
        with pytest.raises(ValueError, match="address"):
            ClusterSettings(address=wrong)
