"""Requests of templates in a language model's words: they count only where the label still holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM

import looptool_kit as lt
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.text.words import stems

IDS = [("disband_team", "Disband a team for good", "team_id"), ("kick_player", "Kick a player", "player_id")]
TOOLS = [
    {
        "name": name,
        "description": text,
        "parameters": {"type": "object", "properties": {key: {"type": "string"}}, "required": [key]},
    }
    for name, text, key in IDS
]


class Writer:
    """A scripted model: words a request again, well or badly, and judges what it sees."""

    def __init__(self) -> None:
        self.asked = self.judged = 0

    def __call__(self, body: dict[str, Any]) -> str:
        text = body["messages"][1]["content"]
        if "Answer to check" in text:
            self.judged += 1
            wrong = "by all means" in text
            return json.dumps({"reasoning": "Read.", "verdict": "wrong" if wrong else "right"})
        self.asked += 1
        request = re.findall(r'"content": "((?:[^"\\]|\\.)*)"', text)[-1]
        request = json.loads(f'"{request}"')
        how = self.asked % 3
        if how == 0:
            return json.dumps({"request": "Do the usual thing."})  # its values are gone
        words = "by all means" if how == 1 else "if it is no trouble"
        return json.dumps({"request": f"Listen, {words}: {request}"})


def test_paraphrases_count_only_where_the_label_still_holds(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text(json.dumps(TOOLS))
    sizes = {"seeds__first": 24, "seeds__fresh": [4], "seeds__held_out": 2, "seeds__paraphrase": 1.0}
    run = lt.init(tmp_path / "run", tmp_path / "tools.json", "cpu-quick", **sizes)
    with pytest.raises(RunError, match=r"seeds.paraphrase needs .*\[generator_llm\]"):
        lt.seed(run)
    writer = Writer()
    with MockLLM(writer) as server:
        run.set(generator_llm={"base_url": server.url, "model": "mock", "concurrency": 1})
        rows = lt.seed(run)
    # 24 of D_1 and 4 of each later slice: what nobody will read is not paid for.
    assert writer.asked == len(run.table(Samples, "pool", 0)) and 0 < writer.judged < writer.asked
    new = [s for s in rows if "paraphrase_of" in s.meta and s.label.calls]  # replies are the judge's alone
    assert new and len(new) < len(rows)
    for sample in new:
        assert "if it is no trouble" in sample.request
        assert _values(sample) <= set(stems(sample.request))
    assert not any("by all means" in s.request for s in rows)
    assert not any("usual thing" in s.request for s in rows if s.label.calls)
    refused = (run.path / "rejected.jsonl").read_text()
    assert "judge: wrong" in refused and "the template's words stay" in refused


def _values(sample: Sample) -> set[str]:
    return {s for c in sample.label.calls for v in c.arguments.values() for s in stems(str(v))}
