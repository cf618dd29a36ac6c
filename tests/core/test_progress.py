"""Progress goes where it can be read: a bar on a terminal, a line at every tenth in a file."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import termios

import pytest

from looptool_kit.core.progress import bar, close_bars, whole

WORK = """
import sys
from looptool_kit.core.progress import bar, close_bars, whole
with whole(lambda: "whole loop: about 3 min left"):
    shown = bar(200, "probe 1", "sample")
    for _ in range(100):
        shown.update(2)
close_bars()
print("the last word", file=sys.stderr)
"""


def in_file() -> str:
    return subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, check=True).stderr


def on_terminal(work: str = WORK) -> str:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 120))
    process = subprocess.Popen([sys.executable, "-c", work], stderr=theirs, stdout=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        said += part
    os.close(ours)
    assert process.wait() == 0
    return said.decode()


def test_a_file_gets_a_line_at_every_tenth_and_nothing_is_drawn_over() -> None:
    lines = in_file().splitlines()
    assert "\r" not in "".join(lines) and "\x1b" not in "".join(lines)
    assert [line.partition(",")[0] for line in lines[:-1]] == [f"probe 1: {n}%" for n in range(10, 101, 10)]
    assert "20 of 200 samples" in lines[0] and "whole loop: about 3 min left" in lines[0]
    assert lines[-1] == "the last word"


def test_a_terminal_gets_one_bar_with_the_whole_loop_and_no_bar_follows_the_last_word() -> None:
    said = on_terminal()
    assert said.count("\n") == 2, "the bar's own line and the last word"
    assert "probe 1: 100%" in said and "whole loop: about 3 min left" in said
    assert said.rstrip().endswith("the last word")


def test_a_resumed_work_says_no_tenth_twice(capsys: pytest.CaptureFixture[str]) -> None:
    with bar(10, "train", "step", initial=5) as shown:
        shown.update(1)
    close_bars()
    assert [line.partition(",")[0] for line in capsys.readouterr().err.splitlines()] == ["train: 60%"]


def test_work_without_a_known_end_or_without_rows_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for total in (None, 0):
        with bar(total, "count", "row") as shown:
            shown.update(1)
    assert capsys.readouterr().err == ""


def test_the_words_about_the_whole_end_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    with whole(lambda: "about 1 min left"), bar(1, "in", "row") as shown:
        shown.update(1)
    with bar(1, "out", "row") as shown:
        shown.update(1)
    first, second = capsys.readouterr().err.splitlines()
    assert "about 1 min left" in first and "left" not in second


def test_many_bars_leave_no_threads_behind() -> None:
    work = """
import threading
from looptool_kit.core.progress import bar
for number in range(20):
    bar(3, f"stage {number}", "row").close()
print("threads:", threading.active_count(), flush=True)
"""
    in_a_file = subprocess.run([sys.executable, "-c", work], capture_output=True, text=True, check=True)
    assert in_a_file.stdout == "threads: 1\n"
    assert int(on_terminal(work).rpartition("threads: ")[2]) <= 2, "one of tqdm's, for all bars"


@pytest.mark.parametrize("jump", [-86_400, 86_400])
def test_a_clock_that_is_set_meanwhile_shows_in_no_bar(jump: int) -> None:
    code = f"""
import itertools, tqdm.std
tqdm.std.time = lambda jumps=itertools.count(): 1e9 + {jump} * next(jumps)
{WORK}"""
    lines = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr.splitlines()
    assert len(lines) == 11 and lines[-1] == "the last word"
    for line in lines[:-1]:
        assert re.search(r"%, \d+ of 200 samples, \d+\.\d s so far", line), line
        assert " h " not in line and "-" not in line
