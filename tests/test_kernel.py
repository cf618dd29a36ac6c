"""A notebook whose kernel dies in the middle of a stage: run again, it resumes and repeats nothing paid."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

from mock_llm import MockLLM  # noqa: E402
from nbformat.v4 import new_code_cell, new_notebook  # noqa: E402
from test_kill import answer, tables  # noqa: E402

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
