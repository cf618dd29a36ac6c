"""What `03_your_tools` does with an answer: the rule tier reads it before a function of one's own runs."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

import looptool_kit as lt
from looptool_kit.core.preview import words
from looptool_kit.policy.engines import Completion

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


class Workshop:
    """Functions that remember that they ran."""

    def __init__(self) -> None:
        self.ran: list[dict[str, Any]] = []

    def reserve_part(self, **given: Any) -> str:
        self.ran.append(given)
        return "reserved"


@pytest.mark.parametrize(
    ("given", "against"),
    [
        ({"part_id": "BP-2041", "quantity": 2}, ""),
        ({"part_id": "BP-2041", "quantity": 5}, "quantity"),  # nobody said five
        ({"part_id": "BP-9999", "quantity": 2}, "part_id"),  # a part that was not named
        ({"part": "BP-2041"}, "part_id"),  # not what the function takes
    ],
)
def test_what_the_rules_object_to_is_shown_and_not_executed(
    given: dict[str, Any], against: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = ast.parse((NOTEBOOKS / "03_your_tools.py").read_text(encoding="utf-8"))
    wanted = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in ("sample", "ask")]
    assert len(wanted) == 2
    text = f"<tool_call>\n{json.dumps({'name': 'reserve_part', 'arguments': given})}\n</tool_call>"
    completion = Completion(text=text, token_ids=(1,), tokens=("a",), logprobs=(-0.1,), finish_reason="stop")

    class Engine:
        def generate(self, chats: list[Any], sampling: Any) -> list[list[Completion]]:
            return [[completion] for _ in chats]

    class Settings:
        probe = type("probe", (), {"batch": 1, "max_new_tokens": 8})

    monkeypatch.setattr(lt, "open_engine", lambda policy, batch: Engine())
    workshop, tools = Workshop(), tuple(lt.load_tools(NOTEBOOKS / "your_tools" / "tools.py"))
    place: dict[str, Any] = {
        "lt": lt,
        "tools": tools,
        "workshop": workshop,
        "words": words,
        "policy": None,
        "run": type("run", (), {"settings": Settings}),
    }
    exec(compile(ast.Module(wanted, []), "03_your_tools", "exec"), place)
    place["ask"]("Please reserve 2 of BP-2041.")
    said = capsys.readouterr().out
    assert "reserve_part(" in said
    if against:
        assert (
            workshop.ran == [] and "not executed: " in said and against in said.partition("not executed")[2]
        )
    else:
        assert workshop.ran == [given] and "-> reserved" in said and "not executed" not in said
