"""The notebooks: what is saved is what the sources say, shows without a kernel, and runs top to bottom."""

from __future__ import annotations

import importlib.util
import json
import re
import tempfile
import time
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jupytext")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("anywidget")

import nbformat

import looptool_kit as lt
from looptool_kit.core.records import Probes
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def module(name: str) -> Any:
    """A helper of the notebooks, which are not a package."""
    spec = importlib.util.spec_from_file_location(f"notebooks_{name}", NOTEBOOKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


build = module("build")
NAMES = build.names()
FAST = ("00_tour", "04_single_gpu", "05_teach", "06_does_it_help")


def test_there_are_seven() -> None:
    assert [n[:2] for n in NAMES] == ["00", "01", "02", "03", "04", "05", "06"]


@pytest.mark.parametrize("name", NAMES)
def test_cells_are_those_of_the_source(name: str) -> None:
    saved, source = nbformat.read(NOTEBOOKS / f"{name}.ipynb", 4), build.convert(name)
    nbformat.validate(saved)
    cells = [
        [(c.id, c.cell_type, c.source, dict(c.metadata)) for c in notebook.cells]
        for notebook in (saved, source)
    ]
    assert cells[0] == cells[1], "run `python notebooks/build.py`"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_shows_without_a_kernel(name: str) -> None:
    path = NOTEBOOKS / f"{name}.ipynb"
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, 4)
    code = [c for c in notebook.cells if c.cell_type == "code"]
    assert (
        len(text.encode()) < build.LIMIT and "widgets" not in notebook.metadata and build.WIDGET not in text
    )
    assert not any(
        place in text
        for place in (str(NOTEBOOKS.parent), tempfile.gettempdir() + "/", str(Path.home()) + "/")
    )
    assert [c.id for c in code if c.execution_count is None] == [], "run `python notebooks/build.py`"
    assert not [o for c in code for o in c.outputs if o.output_type == "error"]
    views = [
        c for c in code if "View(run" in c.source or "LoopMap(run" in c.source or "settings_form(" in c.source
    ]
    if name != "04_single_gpu":  # without a GPU it has nothing to show
        assert [c.id for c in views if not any("text/html" in o.get("data", {}) for o in c.outputs)] == []


@pytest.mark.parametrize("name", [n for n in FAST if n != "05_teach"])
def test_runs_top_to_bottom(name: str, tmp_path: Path) -> None:
    build.execute(build.convert(name), tmp_path, seconds=300)


EXERCISES = ("1", "2", "3", "4", "5a", "5b")


def said(notebook: Any) -> str:
    """All that the cells' outputs say, pictures decoded."""
    out = []
    for output in (o for c in notebook.cells if c.cell_type == "code" for o in c.outputs):
        shown = (
            [output.text]
            if output.output_type == "stream"
            else [str(v) for v in output.get("data", {}).values()]
        )
        for text in shown:
            out += [text, *(b64decode(data).decode() for data in re.findall('svg.xml;base64,([^"]+)', text))]
    return "\n".join(out)


def test_the_lesson_run_untouched_shows_no_solution(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    lesson = module("lesson")
    notebook = build.convert("05_teach")
    build.execute(notebook, tmp_path, seconds=300)
    seen = said(notebook)
    assert [e for e in EXERCISES if f"Exercise {e} waits for your answer." not in seen] == []
    assert "Right." not in seen and "Not yet." not in seen and "A solution of" not in seen
    cells = "\n".join(c.source for c in notebook.cells)
    assert tuple(lesson.SOLUTIONS) == EXERCISES
    for exercise, code in lesson.SOLUTIONS.items():
        assert code.strip()[:60] not in cells, "not even encoded"
        told = [line.strip() for line in lesson.decoded(exercise).splitlines() if len(line.strip()) > 25]
        assert told and [line for line in told if line in cells or line in seen] == []
    samples, truth = lesson.noisy_samples()
    for s in samples:
        if s.id in truth:
            assert lt.render_answer(truth[s.id]) not in seen, "a planted error's right label"
    # Nor do the figures that exercises 1 and 2 ask for.
    run = Run.open(tmp_path / "teach")
    probe = max(
        (p for p in run.table(Probes, "probes", lesson.last_judged(run)) if p.correct),
        key=lambda p: p.perplexity,
    )
    assert (
        not re.search(rf"(PPL|perplexity) = {probe.perplexity:.3f}", seen) and "D_(j+1) is then" not in seen
    )
    assert not [c for c in notebook.cells if "solution" in c.metadata.get("tags", ())], (
        "Run All unfolds what was folded"
    )


def test_the_lesson_with_its_solutions_filled_in_is_all_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    lesson = module("lesson")
    notebook = build.convert("05_teach")
    filled = []
    for cell in notebook.cells:
        if asked := re.search(r'^# lesson\.solution\("?(\w+)"?\)', cell.source, re.MULTILINE):
            filled.append(asked[1])
            cell.source = (
                f"{lesson.decoded(asked[1])}\n{cell.source.replace('# lesson.', 'lesson.')}\nassert right"
            )
    assert tuple(filled) == EXERCISES
    build.execute(notebook, tmp_path, seconds=300)
    seen = said(notebook)
    assert "waits for your answer" not in seen and "Not yet. The judge was not fooled" not in seen
    assert [
        e
        for e in EXERCISES
        if f"A solution of exercise {e}." not in seen or lesson.decoded(e).strip() not in seen
    ] == []


def test_the_lesson_answers_anything_in_words(
    start: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    lesson = module("lesson")
    run: Run = start.recorded("teach")
    probe = run.table(Probes, "probes", lesson.last_judged(run))[0]
    sample = lesson.SITUATIONS[1]
    for odd in ("abc", 7.5, -3, [], {}, {"HPPL": "many"}, object(), float("nan"), [[1]]):
        assert not lesson.check_perplexity(odd, probe) and not lesson.check_composition(run, 1.0, odd)
        assert not lesson.check_composition(
            run, odd if isinstance(odd, str | dict) else "1", {"HPPL": 1, "total": 1}
        )
        assert (
            not lesson.check_planted(odd) and not lesson.check_fooled(odd) and not lesson.check_fooled(9, odd)
        )
        assert (
            not lesson.check_fooled(1, odd)
            and not lesson.check_naive(odd, sample)
            and not lesson.check_bananas(odd, sample.label)
        )
    told = capsys.readouterr().out
    assert told.count("Not yet.") == len(told.splitlines()) > 60 and "Right." not in told
    found = lesson.compose_at(run, 1.0)
    assert not lesson.check_composition(run, 1.0, {"HPPL": found["HPPL"] + 1000, "total": 1})
    told = capsys.readouterr().out
    assert "made again" not in told
    assert (
        "HPPL is fewer than" in told
        and "total is more than 1" in told
        and not re.search(rf"\b{found['total']}\b", told)
    )
    lesson.solution("9")
    assert "There is no exercise '9'" in capsys.readouterr().out
    assert lesson.encoded(lesson.decoded("3")) == lesson.SOLUTIONS["3"].strip()


TINY = {
    **{
        "seeds__held_out": 2,
        "sft__epochs": 1,
        "sft__batch": 4,
        "sft__micro_batch": 4,
        "lora__upper": 1.0,
        "compose__hppl": 4,
    },
    **{
        "grpo__steps": 1,
        "grpo__prompts": 2,
        "grpo__group": 2,
        "grpo__max_new_tokens": 8,
        "probe__max_new_tokens": 12,
        "probe__batch": 4,
    },
    **{"evaluate__max_new_tokens": 8, "expand__children": 1, "expand__most": 8},
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [n for n in NAMES if n not in FAST])
def test_trains_top_to_bottom_and_again_from_where_it_was(
    name: str, wordy_checkpoint: Path, tmp_path: Path
) -> None:
    small = {"seeds__first": 12, "seeds__fresh": [4]} | TINY | {"model": str(wordy_checkpoint)}
    build.execute(
        build.convert(name), tmp_path, seconds=600, LOOPTOOL_OVERRIDES=json.dumps(small), OMP_NUM_THREADS="1"
    )
    [folder] = [p.parent for p in tmp_path.glob("*/run.toml")]
    policies = {p: p.stat().st_mtime_ns for p in folder.glob("iterations/*/policy.json")}
    assert policies
    build.execute(build.convert(name), tmp_path, seconds=600, OMP_NUM_THREADS="1")
    assert {p: p.stat().st_mtime_ns for p in policies} == policies, "a second Run All trains nothing"


SLOW = """
import sys
import time

sys.path.insert(0, {notebooks!r})
import start

import looptool_kit as lt
from looptool_kit.policy.engines.transformers import TransformersEngine
from looptool_kit.policy.policy import policy_of

generate = TransformersEngine.generate

def slowly(self, rows, sampling):
    with open("batches.txt", "a") as log:
        print(*(r.id for r in rows), file=log)
    time.sleep(0.5)
    return generate(self, rows, sampling)

TransformersEngine.generate = slowly
run = lt.Run.create("run", "cpu-quick", model={model!r}, seeds__first=12, seeds__held_out=1,
    probe__max_new_tokens=4, probe__batch=2)
samples = lt.seed(run)
policy = policy_of(run, 0)
"""


@pytest.mark.timeout(900)
def test_a_run_cell_stopped_with_the_stop_button_goes_on_where_it_stopped(
    wordy_checkpoint: Path, tmp_path: Path
) -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(cwd=str(tmp_path))
    log = tmp_path / "batches.txt"

    def asked() -> list[str]:
        return log.read_text().splitlines() if log.exists() else []

    def run(code: str) -> None:
        reply = client.execute_interactive(code, timeout=120, output_hook=lambda _: None)["content"]
        assert reply["status"] == "ok", reply

    try:
        run(SLOW.format(model=str(wordy_checkpoint), notebooks=str(NOTEBOOKS)))
        # Not to stop on its error: the kernel would for a moment turn away what is asked next.
        client.execute("probes = lt.probe(run, samples, policy, iteration=1)", stop_on_error=False)
        for _ in range(600):
            if len(asked()) >= 3:
                break
            time.sleep(0.1)
        manager.interrupt_kernel()
        assert client.get_shell_msg(timeout=60)["content"]["ename"] == "KeyboardInterrupt"
        assert 3 <= len(asked()) < 6
        shown = []
        while (message := client.get_iopub_msg(timeout=30))["content"].get("execution_state") != "idle":
            shown.append((message["msg_type"], message["content"].get("text", "")))
        said = "".join(text for kind, text in shown if kind == "stream")
        assert "Stopped. Nothing finished is lost: run this cell again" in said
        assert not [kind for kind, _ in shown if kind == "error"] and "Traceback" not in said
        run("probes = lt.probe(run, samples, policy, iteration=1)\nassert len(probes) == len(samples) == 12")
        assert len(set(asked())) == 6 and len(asked()) <= 7, (
            "at most the batch that was stopped is asked again"
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("LOOPTOOL_RUNS", str(tmp_path / "runs"))
    yield module("start")


def test_the_recorded_run_is_copied_once_and_keeps_decisions(start: Any) -> None:
    run = start.recorded("tour")
    run.decide("threshold", "", 1.5)
    assert start.recorded("tour").decisions("threshold")[""].value == 1.5
    assert not (start.ROOT / "sample_data" / "run" / "decisions.jsonl").exists()


def test_another_run_is_not_taken_for_the_recorded_one(start: Any) -> None:
    start.open_run("loop", "cpu-quick")
    with pytest.raises(lt.RunError, match="another run than the recorded one"):
        start.recorded("loop")
    assert 'start.recorded("cpu")' not in (NOTEBOOKS / "00_tour.py").read_text(), "runs/cpu is the loop's"


def test_cells_say_nothing_to_a_linter() -> None:
    for name in NAMES:
        assert not [c.source for c in build.convert(name).cells if re.search(r"# (noqa|fmt:)", c.source)]
    line = "    display(x)  # noqa: F821 - IPython's; fills while this cell trains"
    assert build.without_linter(line) == "    display(x)  # fills while this cell trains"
    assert build.without_linter("\na = '# fmt'\nb()  # fmt: skip\n") == "a = '# fmt'\nb()"


def test_a_run_is_opened_as_it_stands(
    start: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOOPTOOL_OVERRIDES", '{"grpo__steps": 3}')
    run = start.open_run("mine", "cpu-quick", iterations=1)
    assert (run.settings.iterations, run.settings.grpo.steps) == (1, 3)
    run.set(probe__quantile=0.5)
    again = start.open_run("mine", "cpu", iterations=5)
    assert again.settings.probe.quantile == 0.5 and "cpu-quick" in capsys.readouterr().out


def test_cleaning_leaves_the_last_state_and_no_paths(tmp_path: Path) -> None:
    widget = {build.WIDGET: {"model_id": "x"}, "text/plain": "\x1b[1mHBox\x1b[0m at 0x7f00>"}
    out = nbformat.v4.new_output
    outputs = [
        out("stream", name="stderr", text="probe:  10%|#    | 1/10\rprobe: 100%|#####| 10/10\n"),
        out("stream", name="stdout", text="a\rb\n"),
        out("stream", name="stdout", text=f"\x1b[31mred\x1b[0m {tmp_path}/tour {build.ROOT}/README.md\n"),
        out("display_data", data=dict(widget)),
        out("display_data", data={**widget, "text/html": "<table></table>"}),
    ]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("x", outputs=outputs)], metadata={"widgets": {"state": {}}}
    )
    build.clean(notebook, tmp_path)
    assert "widgets" not in notebook.metadata
    stream, view = notebook.cells[0].outputs
    assert stream.text == "b\nred runs/tour ./README.md\n"
    assert view.data == {"text/plain": "HBox>", "text/html": "<table></table>"}


def test_lessons_know_wrong_from_right(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    lesson = module("lesson")
    run: Run = start.recorded("teach")
    j = lesson.last_judged(run)
    path = run.folder(j + 1) / "samples.parquet"
    Samples.read(path).write(
        path
    )  # the recording may be older than this writer, and the bytes are compared below
    before = path.read_bytes()
    assert not lesson.check_composition(run, 1.0, {"HPPL": -1, "total": 0}) and not lesson.check_composition(
        run, 1.0, None
    )
    assert run.decisions("threshold") == {} and path.read_bytes() == before
    samples, truth = lesson.noisy_samples()
    planted = {i for i, s in enumerate(samples) if s.id in truth}
    assert (
        len(planted) == 4
        and lesson.check_planted(planted)
        and not lesson.check_planted(planted | {1})
        and not lesson.check_planted(())
    )
    sample = lesson.SITUATIONS[1]
    assert not lesson.check_fooled(1, *sample.label.calls), "a right answer fools nobody"
