"""Files of arms: what is mistyped is said with its line, before anything has run."""

from __future__ import annotations

from pathlib import Path

import pytest

from looptool_kit.config import presets
from looptool_kit.studies.arms import ARMS, CONTROL, FULL, Arm, chosen, read_arms, shipped


def test_what_a_file_says(tmp_path: Path) -> None:
    file = tmp_path / "arms.toml"
    file.write_text(
        "[match]\n[graded]\nreward.name = 'graded'\ngrpo.steps = 3\n[few]\nwords = 'few children'\n"
        "[few.expand]\nchildren = 1\nexpanders = ['slots']\n[alone]\ndata = 'seed'\n"
    )
    assert read_arms(file) == {
        "match": Arm("match", {}),
        "graded": Arm("reward.name = 'graded', grpo.steps = 3", {"reward__name": "graded", "grpo__steps": 3}),
        "few": Arm("few children", {"expand__children": 1, "expand__expanders": ["slots"]}),
        "alone": Arm("alone", {}, "seed"),
    }


@pytest.mark.parametrize(
    "text, line, words",
    [
        (
            "[match]\n[graded]\nrewrd.name = 'graded'",
            3,
            "rewrd.name is not a setting (did you mean reward.name?)",
        ),
        ("[match]\n[g]\nwords = 'x'\n\ncompose.hpl = 3", 5, "did you mean compose.hppl?"),
        (
            "[match]\n[g]\n[g.compse]\nhppl = 3",
            4,
            "compse.hppl is not a setting (did you mean compose.hppl?",
        ),
        ("[match]\n[g]\ntemperatur = 1", 3, "did you mean jury.temperature?"),
        ("[match]\n[g]\nword = 'x'", 3, "word is not a setting (did you mean words?)"),
        ("[match]\n[g]\nqqqq = 1", 3, "line 3: qqqq is not a setting"),
        ("[match]\n[g]\nreward.name = 'grade'", 3, "'grade' (did you mean graded?); choose from gated,"),
        ("[match]\n[g]\nexpand.expanders = ['slots', 'wrld']", 3, "names 'wrld' (did you mean world?)"),
        ("[match]\n[g]\ncompose.hppl = 1\nverify.judge = 'evidnce'", 4, "did you mean evidence?"),
        ("[match]\n[g]\ncompose.hppl = -1", 3, "greater than or equal to 0"),
        ("[match]\n[g]\nreward = 'graded'", 3, "reward is a section"),
        ("[match]\n[g]\nseeds.first = 3", 3, "an arm cannot set seeds.first: all arms start from one D1"),
        ("[match]\n[g]\nmodel = 'x'", 3, "an arm cannot set model"),
        ("[match]\n[g]\nsft.epochs = 3", 3, "cannot set sft.epochs, but it can set sft.epochs_later"),
        ("[match]\n[g]\nbudget.tokens = [3]", 3, "an arm cannot set budget.tokens"),
        ("[match]\n[g]\ndata = 'seeds'", 3, "data is"),
        ("[match]\n[g]\nwords = 3", 3, "words is a text"),
        ("x = 1\n[match]\n[g]", 1, "x is not in an arm"),
        ("[match]\n['a/b']", 2, "letters, digits"),
    ],
)
def test_what_is_mistyped_is_said_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    file = tmp_path / "arms.toml"
    file.write_text(text)
    with pytest.raises(ValueError) as error:
        read_arms(file)
    assert str(error.value).startswith(f"{file}, line {line}: ") and words in str(error.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "arms.toml"
    with pytest.raises(FileNotFoundError, match="the arms that the package ships"):
        read_arms(file)
    file.write_text("[match]\n[graded\n")
    with pytest.raises(ValueError, match="not valid TOML: .*line 2"):
        read_arms(file)
    file.write_text("[match]\n")
    with pytest.raises(ValueError, match="holds 1 arms"):
        read_arms(file)


def test_the_arms_that_are_shipped() -> None:
    every = read_arms(shipped("arms"))
    assert {"match", "graded", "gated", "progress", CONTROL} <= set(every) and next(iter(every)) == "match"
    assert list(ARMS) == [FULL, "no-hppl", "no-jglv", "no-edde", "repeat", CONTROL]
    assert not {"arms", "ablation"} & set(presets()), "they are no presets"
    assert chosen(every, None) == list(every) and chosen(every, ["graded"]) == ["match", "graded"]
    assert chosen(every, []) == ["match"]
    with pytest.raises(ValueError, match=r"no arm grade \(did you mean graded\?\); choose from match"):
        chosen(every, ["grade"])
