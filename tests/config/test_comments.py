"""A person's run.toml keeps its comments, order and spelling when settings change."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.config import dump_settings, load_settings, with_overrides
from looptool_kit.run.folder import Run

MODEL = {"base_url": "http://localhost:1/v1", "model": "m"}
TEXTS = {
    "plain": "# Mine.\nformat = 2\nseed = 4 # four\n\n[sft] # s\n# as said\nepochs = 1\n# End.\n",
    "dotted": "format = 2\nsft.epochs = 3 # three\nsft.batch = 8\nseed=1\n",
    "inline": 'format=2\nsft = {epochs = 1, batch = 8} # in\njudge_llm={base_url="http://a/v1",model="m"}\n',
    "split": (
        'format=2\n[jury]\ntemperature=0.5\nvotes=3 # odd\n[sft]\nepochs=1 #e\n[[jury.others]]\nmodel="m"\n'
        'base_url="http://localhost:1/v1"\n[grpo]\n# later\nsteps=1\n'
    ),
    "no newline": "format = 2\n[sft]\nepochs = 1 # x",
    "quoted": '"format" = 2\n["sft"]\n"epochs" = 1 # q\n',
    "lines of Windows": "format = 2\r\n# c\r\nseed = 4 # d\r\n[sft]\r\nepochs = 1\r\n",
}
CHANGES: list[dict[str, Any]] = [
    {"seed": 9},
    {"sft__epochs": 2},
    {"judge_llm": MODEL | {"model": "z"}},
    {"judge_llm": None},
    {"jury__others": [MODEL, MODEL]},
    {"jury__others": []},
    {"calls__most": 4},
    {"synthesis__band": (0.1, 2.0)},
    {"engine": "served", "policy_server": MODEL},
]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_settings_change_and_comments_stay(text: str, tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    comments = [line.split("#")[1].strip() for line in text.splitlines() if "#" in line]
    for changes in product(CHANGES, CHANGES):
        file.write_text(text)
        now, settings = text, load_settings(file)
        for change in changes:
            settings = with_overrides(settings, **change)
            now = dump_settings(settings, 2, now)
            file.write_text(now)
            assert load_settings(file) == settings, changes
        assert [c for c in comments if c not in now] == [], changes


def test_a_run_keeps_what_a_person_wrote_beside_its_settings(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        file = run.path / "run.toml"
        text = "# Tuesday's try.\n" + file.read_text().replace("seed = 0", "seed = 0 # as in the paper")
        file.write_text(text)
        run.set(seed=7)
        assert file.read_text() == text.replace("seed = 0 #", "seed = 7 #")
