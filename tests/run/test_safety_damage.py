"""Damaged files of a run: whoever looks sees what is whole, and the loop makes whole what it can or says what
to do.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from scripted_runs import files, finished_loop, go, scripted
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Verdicts
from looptool_kit.report.plan import plan, summary
from looptool_kit.report.summary import print_scoreboard, report_run
from looptool_kit.report.taken import took
from looptool_kit.run.folder import Run
from looptool_kit.studies.judge_card import warning

VALUES = [None, "x", -1, [], {}, [1], {"a": 1}, 1e308, True, "\x1b[2J", "\ud800"]
CONTENTS = [b"", b"{", b"{}", b"[]", b"null", b"7", b'{"seconds": 1}', b'{"seconds": 1, "key": "k"}']
CONTENTS += [b'{"seconds": NaN, "key": "k"}', b"\xff\xfe\x00\x80", b"[" * 100_000, b"format = 2\n\x1b[2J"]
LOG = b'{"loss": 1.0, "step": 1}\n{"loss": 0.5, "step": 2}\n'


@pytest.fixture(scope="module")
def whole() -> Iterator[Path]:
    """A finished run with each kind of file that a run may hold."""
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as place:
        scripted(patch)
        with finished_loop(Path(place) / "run", augment__perturbations=["typos"], augment__share=0.5) as run:
            row = run.table(Verdicts, "verdicts", 1)[0].sample_id
            run.decide("verdict", row, "PRED_WRONG", iteration=1)
            run.decide("threshold", "", 1.5, iteration=1)
            run.reject("file", 1, "raw", "reason")
            go(run)
            for j in run.iterations:
                (run.folder(j) / "policy" / "sft" / "history.jsonl").write_bytes(LOG)
        assert not CliRunner().invoke(app, ["judge-check", str(run.path), "--samples", "2"]).exit_code
        yield run.path


def damaged(draw: Any, name: str, content: bytes) -> bytes:
    """Another content of the file: none of its kind, cut short, or with one value changed."""
    kinds = ["other", "cut", "written into"] + ["changed"] * 4 * name.endswith((".json", ".jsonl"))
    kind = draw(st.sampled_from(kinds))
    if kind == "other":
        return bytes(draw(st.sampled_from(CONTENTS)))
    at = draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "cut":
        return content[:at]
    if kind == "written into":
        return content[:at] + b'\x00\x1b[2J"' + content[at:]
    lines = content.split(b"\n")[:-1] if name.endswith(".jsonl") else [content]
    line = draw(st.integers(0, len(lines) - 1))
    value = json.loads(lines[line])
    inner = value
    while True:
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        one = draw(st.sampled_from(keys))
        if not isinstance(inner[one], dict | list) or not inner[one] or draw(st.booleans()):
            break
        inner = inner[one]
    if draw(st.integers(0, len(VALUES))):
        inner[one] = draw(st.sampled_from(VALUES))
    else:
        del inner[one]
    return b"\n".join([*lines[:line], json.dumps(value).encode(), *lines[line + 1 :], b""])


def look(path: Path) -> None:
    """What a person calls who only wants to see the run."""
    run = Run.open(path, read_only=True)
    summary(run, plan(run))
    print_scoreboard(run)
    took(run)
    report_run(run)
    warning(run)


DATA = (".json", ".jsonl", ".toml", ".parquet")
# One example takes half a second of a processor and none takes longer, so their number bounds the time. A
# failure is shown as it was found, since shrinking it would run hundreds.
EVERY = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@EVERY
@given(data=st.data())
def test_who_looks_at_a_damaged_run_sees_it_or_is_told_which_file_is_broken(
    whole: Path, trained: list[int], capsys: pytest.CaptureFixture[str], data: st.DataObject
) -> None:
    names = sorted(str(p.relative_to(whole)) for p in whole.rglob("*") if p.suffix in DATA)
    name = data.draw(st.sampled_from(names))
    before = (whole / name).read_bytes()
    capsys.readouterr()
    try:
        (whole / name).write_bytes(damaged(data.draw, name, before))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            try:
                look(whole)
            except (RunError, ValueError) as error:
                assert Path(name).name in str(error)
            listed = CliRunner().invoke(app, ["runs", str(whole.parent)])
        assert listed.exit_code == 0, listed.output
        shown = listed.output + capsys.readouterr().out + "".join(str(w.message) for w in said)
        assert "\x1b" not in shown
        if name.endswith("history.jsonl") and said:
            assert all(name in str(w.message) and "line" in str(w.message) for w in said)
    finally:
        (whole / name).write_bytes(before)


@EVERY
@given(data=st.data())
def test_a_loop_on_a_damaged_run_makes_it_whole_or_says_what_to_do(
    whole: Path, trained: list[int], data: st.DataObject
) -> None:
    wanted = _tables(whole)
    names = sorted(
        str(p.relative_to(whole))
        for p in whole.rglob("*.json")
        if p.parent.name == "seed" or (p.parent.parent.name == "iterations")
    )
    name = data.draw(st.sampled_from(names))
    with tempfile.TemporaryDirectory() as place:
        copy = shutil.copytree(whole, Path(place) / "run")
        (copy / name).write_bytes(damaged(data.draw, name, (copy / name).read_bytes()))
        with Run.open(copy) as run:
            go(run)
            assert {s.state for s in plan(run)} == {"done"}
        assert _tables(copy) == wanted
        kept = set(files(copy).values())
        assert all(content in kept for n, content in files(whole).items() if n.endswith("weights"))


def _tables(path: Path) -> dict[str, bytes]:
    return {n: b for n, b in files(path).items() if n.endswith(".parquet") and not n.startswith("superseded")}
