"""Every observation of `observations.md` is answered, and what answers it is there."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from looptool_kit.drawing import intervals
from looptool_kit.policy.policy import Policy

TESTS = Path(__file__).parent
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in (TESTS / "observations.md").read_text(encoding="utf-8").splitlines()
    if re.match(r"\| \d", line)
]


def test_sixty_observations_are_answered_each_by_a_test_or_a_sentence() -> None:
    assert [row[0] for row in ROWS] == [str(number) for number in range(1, 61)]
    for number, _, answer in ROWS:
        named = re.findall(r"`([\w/]+\.py)::(\w+)`", answer)
        assert named or answer.startswith("not tested: "), number
        for file, test in named:
            source = (TESTS / file).read_text(encoding="utf-8")
            assert re.search(rf"^def {test}\(", source, re.MULTILINE), f"{number}: {file} has no {test}"


def test_a_policy_prints_its_name_and_its_place() -> None:
    policy = Policy(name="D2", iteration=2, model="embedded", adapter="runs/mine/adapter", key="f63b")
    assert repr(policy) == "Policy('D2', 'runs/mine/adapter')"
    base = Policy(name="base", iteration=0, model="embedded", key="f63b")
    assert repr(base) == "Policy('base', 'embedded')"


def test_texts_of_a_pandas_table_begin_at_the_left() -> None:
    pandas = pytest.importorskip("pandas")
    spec = importlib.util.spec_from_file_location("start", TESTS.parent / "notebooks" / "start.py")
    assert spec is not None and spec.loader is not None
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    frame = pandas.DataFrame({"said": ["Two of them.", "<b>"], "right": [12, -3], "share": ["4.5%", "1,024"]})
    cells = re.findall(r"<td( style=\"text-align:left\")?>(.*?)</td>", start.left_aligned(frame))
    assert [(bool(left), text) for left, text in cells] == [
        (True, "Two of them."),
        (False, "12"),
        (False, "4.5%"),
        (True, "&lt;b&gt;"),
        (False, "-3"),
        (False, "1,024"),
    ]
    heads = re.findall(r"<th( style=\"text-align:left\")?>(\w+)</th>", start.left_aligned(frame))
    assert {name for left, name in heads if left} == {"said"} and ("", "right") in heads


def test_make_says_where_the_commands_are() -> None:
    if shutil.which("make") is None:
        pytest.skip("this machine has no make")
    # Called from another make, it would end with the folder that it leaves.
    command = ["make", "--no-print-directory", "-n", "loop", "VENV=no-such-folder"]
    done = subprocess.run(command, cwd=TESTS.parent, capture_output=True, text=True)
    assert done.returncode == 0 and ". no-such-folder/bin/activate" in done.stdout.splitlines()[-1], (
        done.stderr
    )


def test_labels_of_neighbouring_panels_do_not_touch() -> None:
    half = (0.2, 0.5, 0.8)
    svg = intervals(
        [("wrong parameter name", [half] * 5)], ["precision", "recall", "a", "b", "c"], "shares", 640
    )
    marks = [
        (float(x), text) for x, text in re.findall(r'<text[^>]* x="([\d.]+)"[^>]*>(0|0\.5|1)</text>', svg)
    ]
    ends = [x for x, text in marks if text == "1"][:-1]
    starts = [x for x, text in marks if text == "0"][1:]
    assert len(ends) == 4 and all(start - end >= 16 for end, start in zip(ends, starts, strict=True))
