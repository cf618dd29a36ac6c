"""A notebook whose kernel dies in the middle of a stage: run again, it resumes and repeats nothing paid."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty

import pytest

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from jupyter_client import KernelManager  # noqa: E402
from mock_llm import MockLLM  # noqa: E402
from nbformat.v4 import new_code_cell, new_notebook  # noqa: E402
from test_kill import answer, tables  # noqa: E402

from looptool_kit import seed, train  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402

SCRIPTED = """
import os, signal, sys
sys.path[:0] = [{tests!r}]
import pytest, scripted_loop, scripted_runs
scripted_runs.scripted(patch := pytest.MonkeyPatch())
patch.setattr(sys.modules["looptool_kit.stages.train.stage"], "_train", scripted_loop.train)
plain, log = scripted_runs.Scripted.generate, open("batches.txt", "a", buffering=1)

def generate(self, chats, sampling):
    if len(open("batches.txt").readlines()) == {die_at}:
        log.write("killed\\n")
        os.kill(os.getpid(), signal.SIGKILL)
    log.write(" ".join(s.id for s in chats) + "\\n")
    return plain(self, chats, sampling)

scripted_runs.Scripted.generate = generate
"""
CELLS = (
    "import looptool_kit as lt\nrun = lt.Run.create('run', 'cpu-quick', **scripted_runs.SMALL, **{more!r})",
    "samples = lt.seed(run)\npolicy = lt.train(run, samples)",
    "probes = lt.probe(run, samples, policy)",
    "verdicts = lt.verify(run, probes)\nexpanded = lt.expand(run, verdicts)",
    "composed = lt.compose(run, probes, verdicts, expanded)\nlt.evaluate(run, policy)",
)


def execute(folder: Path, url: str, die_at: int = -1) -> None:
    """Run the notebook in a kernel of its own, from the top."""
    folder.mkdir(exist_ok=True)
    model = {"base_url": url, "model": "scripted", "concurrency": 1}
    more = {"verify__judge": "llm", "judge_llm": model}
    code = [SCRIPTED.format(tests=str(Path(__file__).parent), die_at=die_at)]
    code += [cell.format(more=more) if "{more" in cell else cell for cell in CELLS]
    notebook = new_notebook(cells=[new_code_cell(source) for source in code])
    client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
    client.execute(cwd=str(folder))


def test_a_kernel_that_died_in_a_stage_resumes_without_repeated_work(tmp_path: Path) -> None:
    with MockLLM(answer) as server:
        execute(tmp_path / "whole", server.url)
        wanted = Counter((tmp_path / "whole" / "batches.txt").read_text().splitlines())
        calls = len(server.log)
        assert len(wanted) >= 5 and calls > 2
        server.log.clear()
        folder = tmp_path / "killed"
        for die_at in (2, 5):  # in the probe, and in the evaluation at the end
            with pytest.raises(nbclient.exceptions.DeadKernelError):
                execute(folder, server.url, die_at)
        execute(folder, server.url)
        asked = Counter((folder / "batches.txt").read_text().splitlines())
        assert asked.pop("killed") == 2 and asked == wanted, "each batch is asked for once"
        assert len(server.log) == calls, "each answer is paid for once"
        assert tables(folder / "run") == tables(tmp_path / "whole" / "run")


TRAIN = (
    "import looptool_kit as lt\nrun = lt.Run.create('run', 'cpu-quick', **{settings!r})\n"
    "samples = lt.seed(run)",
    "policy = lt.train(run, samples)",
)
TINY = {
    **{"seeds__first": 16, "seeds__fresh": [4], "seeds__held_out": 2, "seeds__noise": 0.2, "iterations": 1},
    **{"sft__epochs": 1, "sft__batch": 4, "sft__micro_batch": 4, "sft__save_steps": 1, "grpo__steps": 0},
}


def run_all(manager: KernelManager, cells: Sequence[str], until: Callable[[], bool] | None = None) -> None:
    """Run cells in the kernel as a front end does; `until` ends the wait in the middle of one."""
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=180)
    for cell in cells:
        asked = client.execute(cell)
        while True:
            if until is not None and until():
                client.stop_channels()
                return
            try:
                message = client.get_iopub_msg(timeout=0.05)
            except Empty:
                continue
            if message["parent_header"].get("msg_id") != asked:
                continue
            assert message["msg_type"] != "error", message["content"]["traceback"]
            if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                break
    client.stop_channels()
    assert until is None, "the cells came to their end before"


def test_a_kernel_restarted_in_a_training_resumes_at_its_checkpoint_by_run_all(
    wordy_checkpoint: Path, tmp_path: Path
) -> None:
    settings = {"model": str(wordy_checkpoint)} | TINY
    with Run.create(tmp_path / "whole", "cpu-quick", **settings) as run:
        train(run, seed(run))
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path))
    first = tmp_path / "run" / "iterations" / "01"
    cells = [cell.format(settings=settings) for cell in TRAIN]
    try:
        run_all(manager, cells, lambda: bool(list(first.rglob("checkpoint-[2-9]"))))
        manager.restart_kernel(now=False)  # as the button does: politely first
        assert list(first.rglob("checkpoint-*")) and not (first / "policy.json").exists()
        run_all(manager, cells)
    finally:
        manager.shutdown_kernel(now=True)
    adapter = "policy/sft/adapter/adapter_model.safetensors"
    assert (first / adapter).read_bytes() == (tmp_path / "whole/iterations/01" / adapter).read_bytes()
    steps = [json.loads(line)["step"] for line in (first / "policy/sft/history.jsonl").open()]
    assert steps == sorted(set(steps)), "no step is taken twice"
