"""A sample that was just kept from an answer is taken back: exactly that line of the file, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("anywidget")

from speaker import CALL, Speaker  # noqa: E402
from widget_pages import asked  # noqa: E402

from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets import TryView  # noqa: E402

LABEL = json.dumps([CALL])


def answered(run: Run) -> tuple[TryView, int]:
    view = TryView(run)
    return view, asked(view, "ask", request="Humidifier off at 6:30am.")["number"]


def test_exactly_the_sample_just_kept_is_removed(run: Run, speaker: Speaker) -> None:
    file = run.path / "tried.jsonl"
    view, number = answered(run)
    asked(view, "save", text="Good morning!", number=number)
    number = asked(view, "ask", request="", again=True)["number"]
    # What a person wrote into the file by hand stays to the byte, even where it is not a sample.
    whole = file.read_bytes() + b'{"id" : 1}\r\n\nnot json\n'
    file.write_bytes(whole)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("looptool_kit.run.tried.tried", lambda _: ())  # the odd lines are not samples
        patch.setattr("looptool_kit.widgets.trial.tried", lambda _: ())
        asked(view, "save", text=LABEL, number=number)
    assert file.read_bytes().startswith(whole) and file.read_bytes() != whole
    told = asked(view, "take_back", id=view.kept)
    assert file.read_bytes() == whole and told["text"] == LABEL and view.kept == ""
    assert "there is no sample" in asked(view, "take_back", id="x")["error"] and file.read_bytes() == whole


def test_a_file_without_samples_is_gone_as_before(run: Run, speaker: Speaker) -> None:
    view, number = answered(run)
    message = asked(view, "save", text=LABEL, number=number)["message"]
    assert view.kept in message and asked(view, "state")["message"] == message, "a page loaded again says so"
    asked(view, "save", text=LABEL, number=number)  # a second press: still the same sample
    asked(view, "take_back", id=view.kept)
    assert not (run.path / "tried.jsonl").exists() and len(view.samples) == 0
    asked(view, "save", text=LABEL, number=number)
    assert len(view.samples) == 1, "it can be kept again"


@pytest.mark.parametrize("change", ["edited", "removed", "file removed"])
def test_a_line_that_was_changed_meanwhile_is_left_alone(
    run: Run,
    speaker: Speaker,
    change: str,
) -> None:
    file: Path = run.path / "tried.jsonl"
    view, number = answered(run)
    asked(view, "save", text="Good morning!", number=number)
    number = asked(view, "ask", request="", again=True)["number"]
    asked(view, "save", text=LABEL, number=number)
    text = file.read_text()
    assert "06:30" in text.splitlines()[-1]
    if change == "file removed":
        file.unlink()
    else:
        last = text.splitlines()[-1].replace("06:30", "07:30") + "\n" if change == "edited" else ""
        file.write_text(text.splitlines()[0] + "\n" + last)
    before = file.read_bytes() if file.exists() else None
    assert "changed or removed" in asked(view, "take_back", id=view.kept)["error"]
    assert (file.read_bytes() if file.exists() else None) == before


def test_a_sample_of_an_earlier_answer_or_day_is_listed_and_taken_back(run: Run, speaker: Speaker) -> None:
    view, number = answered(run)
    asked(view, "save", text=LABEL, number=number)
    asked(view, "fresh")
    assert view.kept == "" and [row[0] for row in view.tried] == [s.id for s in view.samples]
    later, number = answered(run)
    assert "kept earlier" in asked(later, "save", text=LABEL, number=number)["message"] and later.kept == ""
    number = asked(later, "ask", request="", again=True)["number"]
    told = asked(later, "save", text="Good morning!", number=number)["message"]
    assert f"Sample {view.samples[0].id} answers the same otherwise" in told
    [newest, (id, request, label)] = later.tried
    assert newest[0] == later.kept and request == view.samples[0].request and "create_device_timer" in label
    told = asked(later, "take_back", id=id)
    assert told["text"] == "" and told["made"]["reply"] == "Good morning!", "the newest answer's stays"
    assert [s.id for s in later.samples] == [later.kept] == [row[0] for row in later.tried]
    assert "there is no sample" in asked(later, "take_back", id=id)["error"]


def test_what_is_kept_again_takes_the_place_of_what_was_kept(run: Run, speaker: Speaker) -> None:
    view, number = answered(run)
    first = asked(view, "save", text=LABEL.replace("06:30", "06:45"), number=number)
    assert json.loads(first["text"])[0]["arguments"]["time"] == "06:45", "which the form begins with"
    again = asked(view, "save", text=LABEL, number=number)
    [kept] = view.samples
    assert "in place of the one before" in again["message"] and kept.id == view.kept
    assert kept.label.calls[0].arguments["time"] == "06:30"
    assert asked(view, "take_back", id=view.kept)["text"] == LABEL and not view.samples
