"""The agents behind the source `trees`, played by a script: dialogues, the judge, and written tools."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.core.tables import write_json
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.run.folder import Run
from looptool_kit.tools.own_tools import init

NOUNS = ("desk", "boat", "kiln", "studio", "tractor", "costume", "telescope", "allotment", "trailer", "organ")
TOOLS = [
    Tool(
        name=f"reserve_{noun}",
        description=f"Reserve a {noun} at a place, for a party.",
        parameters={
            "type": "object",
            "properties": {
                "place": {"type": "string", "description": "Where."},
                "party": {"type": "integer", "description": "How many people."},
            },
            "required": ["place", "party"],
        },
    )
    for noun in NOUNS
]
MODES = ("fine", "third", "masked", "rule", "judge", "plan", "user", "result", "later", "talk")
PLACES = (
    "Elmfield",
    "Norrgatan",
    "Kilimani",
    "Vinohrady",
    "Takapuna",
    "Ollantay",
    "Quillota",
    "Kerikeri",
    "Sandefjord",
    "Benidorm",
)


def wants(body: dict[str, Any]) -> set[str]:
    return set(body["response_format"]["json_schema"]["schema"]["properties"])


def part(body: dict[str, Any], title: str) -> Any:
    text = body["messages"][-1]["content"]
    return json.JSONDecoder().raw_decode(text, text.index(f"## {title}\n") + len(f"## {title}\n"))[0]


class Agents:
    """Plays planner, user, assistant, tool and judge. The day of a dialogue decides what goes wrong in it."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> str:
        form = wants(body)
        said = part(body, "Dialogue so far")
        day = date.fromisoformat(re.search(r"\d{4}-\d\d-\d\d", said[0]["content"])[0]).toordinal()  # type: ignore[index]
        mode = MODES[day % len(MODES)]
        if "turns" in form:
            if mode == "plan":
                return "{}"
            tool = part(body, "Tools on offer")[0]["name"]
            return json.dumps(
                {
                    "user": "a carpenter",
                    "goal": tool,
                    "values": [PLACES[day % 7], str(20 + day % 61)],
                    "turns": ["one", "two"],
                }
            )
        if "done" in form:
            if mode == "user":
                return "[]"
            plan = part(body, "You")
            noun, (place, party) = plan["goal"].removeprefix("reserve_"), plan["values"]
            if any(m["role"] == "assistant" for m in said):
                if mode != "later":
                    return json.dumps({"message": "", "done": True})
                return json.dumps(
                    {"message": f"And another {noun}\n\nin Sandefjord for {int(party) + 100}.", "done": False}
                )
            return json.dumps(
                {
                    "message": f"Hello,\n\nI need the {noun} of {place}\nfor {party} of us (ref {day}).",
                    "done": False,
                }
            )
        if "verdict" in form:
            wrong = mode == "judge" and part(body, "Answer to check")["calls"]
            return json.dumps({"reasoning": "Checked.", "verdict": "wrong" if wrong else "right"})
        if "result" in form:
            return (
                "nothing"
                if mode == "result"
                else json.dumps({"result": {"booking": f"BK-{day}", "note": "see\nyou"}})
            )
        return json.dumps(self.assistant(body, said, mode))

    def assistant(self, body: dict[str, Any], said: list[dict[str, Any]], mode: str) -> dict[str, Any]:
        vote = self.asked[json.dumps(body)]
        self.asked[json.dumps(body)] += 1
        last = said[-1]
        if last["role"] == "tool":
            return {
                "calls": [],
                "reply": (
                    f"Reserved, {json.loads(last['content'])['booking']}.\n\nAnything else?" + "!" * vote
                ),
            }
        if mode == "talk":
            return {"calls": [], "reply": "For which day?"}
        noun = re.search(r"(?:the|another) (\w+)", last["content"])[1]  # type: ignore[index]
        place = re.search(r"(?:of|in) ([A-Z]\w+)", last["content"])[1]  # type: ignore[index]
        party = int(re.search(r"for (\d+)", last["content"])[1])  # type: ignore[index]
        wrong = {"third": vote == 1, "masked": vote > 0, "rule": True}.get(mode, False)
        call = {
            "name": f"reserve_{noun}",
            "arguments": {
                "place": place,
                "party": party + wrong * (1000 + (vote if mode == "masked" else 0)),
            },
        }
        return {"calls": [call], "reply": ""}


def make_run(folder: Path, url: str, **overrides: Any) -> Run:
    settings: dict[str, Any] = {
        "seeds__source": "trees", "seeds__first": 20, "seeds__fresh": [4, 2], "seeds__held_out": 4,
        "iterations": 2, "synthesis__turns": 3, "generator_llm__base_url": url,
        "generator_llm__model": "mock", "generator_llm__retries": 0, "generator_llm__concurrency": 8,
    }  # fmt: skip
    tools = folder.with_name(f"{folder.name}-tools.json")
    write_json(tools, tool_schemas(TOOLS))
    return init(folder, tools, "cpu-quick", **settings | overrides)


LEAVES = {
    branch: {leaf["words"]: leaf for leaf in leaves}
    for branch, leaves in tomllib.loads(
        files("looptool_kit.stages.seed.trees").joinpath("constraint_tree.toml").read_text()
    ).items()
}
VALUES: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "enum": ["wet", "dry"]}, "number": {"type": "integer", "minimum": 1},
    "boolean": {"type": "boolean"}, "array": {"type": "array", "items": {"type": "string"}},
    "object": {"type": "object", "properties": {"x": {"type": "string"}}},
}  # fmt: skip


def tool_as_asked(body: dict[str, Any]) -> dict[str, Any]:
    """A tool that keeps to the form, its name and words made from the purpose."""
    purpose, form = part(body, "Purpose"), part(body, "Form")
    words = re.findall(r"[a-z]+", f"{purpose['purpose']} {purpose['area']}".lower())
    naming = form["name"].split(",")[0]
    name = {
        "snake_case": "_".join(words),
        "camelCase": words[0] + "".join(w.title() for w in words[1:]),
        "PascalCase": "".join(map(str.title, words)),
    }
    count = LEAVES["count"][form["number of parameters"]]
    needs = LEAVES["types"][form["at least one parameter is"]]["needs"] if count["most"] else []
    kinds = [*needs, *["string"] * max(0, count["least"] - len(needs))]
    properties = {f"{words[0]}_{n}": VALUES[k] | {"description": f"Value {n}."} for n, k in enumerate(kinds)}
    required = list(properties)[1:] if count.get("optional") else list(properties)
    parameters = {"type": "object", "properties": properties, "required": required}
    return {
        "name": name.get(naming, "-".join(words))[:64],
        "description": f"{' '.join(words)} now",
        "parameters": parameters,
    }
