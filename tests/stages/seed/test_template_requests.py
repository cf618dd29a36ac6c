"""Requests that a person would sign: what is asked for, by whom it can be served, with which values."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from template_draws import drawn, tool
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.samples import Tool
from looptool_kit.core.toolcalls import render_prompt
from looptool_kit.stages.seed.templates import usable
from looptool_kit.stages.seed.templates.fits import other_fits
from looptool_kit.stages.seed.templates.headlines import headline
from looptool_kit.stages.seed.templates.room import short
from looptool_kit.stages.seed.templates.technical import is_technical
from looptool_kit.stages.seed.templates.trial import trial

OWNER = "ID of the account that owns the alarms, gates and lamps"
LISTS = [
    tool(f"List{noun}s", f"Retrieve a list of {noun.lower()}s belonging to the account", account_id=OWNER)
    for noun in ("Alarm", "Gate", "Lamp")
]


# ----------------------------------------------------------------- what is asked for


def test_a_request_says_which_list_is_meant() -> None:
    for sample in drawn(LISTS, 60, kinds=["single", "choice", "parallel"]):
        for call in sample.label.calls:
            noun = call.name.removeprefix("List").lower()
            if "typo" not in sample.meta and not re.search(rf"\b{noun}\b", sample.request.lower()):
                # One typo is allowed: then the word is there but for one letter.
                assert any(_one_letter_off(w, noun) for w in re.findall(r"\w+", sample.request.lower()))


def _one_letter_off(word: str, right: str) -> bool:
    return sorted(set(right) - set(word)) == [] or len(set(right) ^ set(word)) <= 1


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("kick_player", "Kick a player from a match", ("kick", "a player from a match")),
        ("disband_team", "Disband a team for good", ("disband", "a team for good")),
        ("yeet_item", "Yeets an item into the sea.", ("yeet", "an item into the sea")),
        ("remove_member", "Member removal", ("remove", "the member")),
        ("get_order_status", "Order status", ("get", "the order status")),
        ("x", "Permanently delete a card. This cannot be undone.", ("delete", "a card")),
        ("x", "DELETE /guilds/{guild}/members/{user}", ("delete", "a member")),
        ("x", "GET /v1/lamps", ("list", "the lamps")),
        ("x", "POST /lamps", ("create", "a lamp")),
        ("x", "List All Block Storage Volumes", ("list", "block storage volumes")),
        ("x", "Update a queue's properties", ("update", "a queue")),
        ("AddTag", "POST /orders/{order}/tags", ("add", "a tag")),
        ("rollback", "Roll back a service", ("roll back", "a service")),
        ("deice", "De-ice an aircraft.", ("de-ice", "an aircraft")),
        ("list_incidents", "Open incidents", ("list", "incidents")),
        ("get_hours", "Opening hours of a branch", ("get", "hours")),
        ("x", "Returns a list of your coupons.", ("get", "a list of my coupons")),
        ("light_on", "Turns a light on", ("turn", "a light on")),
        ("ListLamps", LISTS[2].description, ("get", "a list of lamps belonging to the account")),
    ],
)
def test_a_write_is_asked_for_as_what_it_does(name: str, text: str, expected: tuple[str, str]) -> None:
    assert headline(Tool(name=name, description=text)) == expected


WRITES = [
    tool("disband_team", "Disband a team for good", team_id={"type": "string"}),
    tool("kick_player", "Kick a player from a match", player_id={"type": "string"}),
    tool("create_room", "", name={"enum": ["blue", "red", "green"]}),
    tool(
        "set_light", "Switch a light on or off.", light_id={"type": "string"}, state={"enum": ["on", "off"]}
    ),
]


def test_the_verb_of_a_write_stands_in_its_request() -> None:
    rows = drawn(WRITES, 60, kinds=["single"])
    assert {c.name for s in rows for c in s.label.calls} == {t.name for t in WRITES}
    for sample in rows:
        (call,) = sample.label.calls
        bare = sample.request.lower()
        if call.name == "set_light":
            assert f"light {call.arguments['light_id']}".lower() in bare
        elif call.name == "kick_player":
            assert f"player {call.arguments['player_id']}".lower() in bare
        assert not re.search(r"\b(?:look up|show me|pull up|what is|what's|give me)\b", bare), sample.request


def test_a_tool_that_does_one_of_two_things_is_said_by_its_name_or_not_at_all() -> None:
    action = {"enum": ["start", "stop", "dock"]}
    vacuum = tool("vacuum", "Start or stop the vacuum", action=action)
    assert "short sentence" in usable([vacuum])[1]["vacuum"]
    named = tool("set_vacuum", "Start or stop the vacuum", action=action)
    rows = drawn([named], 10, kinds=["single"])
    assert rows
    for sample in rows:
        (call,) = sample.label.calls
        assert re.search(rf"set the vacuum.* action:? {call.arguments['action']}", sample.request.lower())


def test_a_tool_without_a_verb_is_named() -> None:
    why = usable([tool("user_profile", user_id={"type": "string"})])[1]["user_profile"]
    assert why.startswith("neither its name nor its description says plainly, with a verb first")


def test_an_update_says_what_is_to_be_changed() -> None:
    change = tool(
        "update_lamp",
        "Update a lamp",
        1,
        lamp_id={"type": "string"},
        colour="e.g. 'red' or 'blue'",
        name="Name",
    )
    rows = drawn([change], 20, kinds=["single"])
    assert rows and all(len(c.arguments) > 1 for s in rows for c in s.label.calls)


SESSION = {"type": "string", "description": "ID of the tutoring session."}
REPLACED = [
    tool(
        "changeSessionSubject",
        "Change the subject of a tutoring session.",
        id=SESSION,
        subject="The subject, e.g. 'algebra' or 'spelling'",
    ),
    tool(
        "changeSessionDate",
        "Change the date of a tutoring session, given its ID and date.",
        id=SESSION,
        date="Format YYYY-MM-DD",
    ),
    tool(
        "changeDisputeAmount",
        "Change the amount of a meter dispute",
        id={"type": "string", "description": "ID of the meter dispute"},
        amount={"type": "number", "examples": [20, 45.5, 80]},
    ),
]


def test_an_id_is_of_what_its_description_says_and_a_new_value_is_what_it_becomes() -> None:
    """Not "the subject "Safety debrief" of a tutoring session with subject ID SUB-52537"."""
    rows = drawn(REPLACED, 60, kinds=["single"])
    assert {c.name for s in rows for c in s.label.calls} == {t.name for t in REPLACED}
    named = 0
    for sample in rows:
        (call,) = sample.label.calls
        of = "meter dispute" if call.name == "changeDisputeAmount" else "tutoring session"
        named += bool(re.search(rf"{of}(?: id:)? {call.arguments['id']}", sample.request, re.IGNORECASE))
        assert not re.search(r"(?:subject|amount|date) ID|on (?:the )?\d", sample.request), sample.request
        value = call.arguments.get("subject") or call.arguments.get("amount")
        assert not value or not re.search(rf"(?:subject|edit|change|update) \W?{value}", sample.request)
    assert named >= 0.85 * len(rows), "all but those with a typo"


def test_a_range_has_a_minimum_and_an_alert_expires() -> None:
    """Not "range: 16 minutes and max 23", nor "set a price alert on 10 October"."""
    whole = {"type": "integer", "minimum": 1, "maximum": 60}
    ends = {"type": "object", "properties": {"min": whole, "max": whole}, "required": ["min", "max"]}
    expires = {"type": "string", "format": "date"}
    alert = tool("priceAlert", "Set a price alert", 1, ticker="Ticker", expires=expires)
    rows = drawn([tool("refresh_buffer", "Refresh a buffer", 1, range=ends), alert], 60, kinds=["single"])
    bounded = [s.request for s in rows if any("min" in c.arguments.get("range", ()) for c in s.label.calls)]
    dated = [s.request for s in rows if any("expires" in c.arguments for c in s.label.calls)]
    assert len(bounded) > 5 and not [r for r in bounded if "minute" in r]
    assert len(dated) > 5 and sum("expir" in r for r in dated) >= len(dated) - 2, "but for typos"


# --------------------------------------------------------------------- one right tool


TWINS = [
    tool("get_lamp", "Get a lamp", lamp_id={"type": "string"}),
    tool("fetch_lamp_v2", "Fetch a lamp", lamp_id={"type": "string"}),
    tool("delete_lamp", "Delete a lamp", lamp_id={"type": "string"}),
    tool("remove_lamp", "Remove a lamp", lamp_id={"type": "string"}),
    tool("get_gate", "Get a gate", gate_id={"type": "string"}),
]


def test_no_sample_fits_two_tools_on_offer() -> None:
    twins = ({"get_lamp", "fetch_lamp_v2"}, {"delete_lamp", "remove_lamp"})
    rows = drawn(TWINS, 60)
    assert len(rows) > 30
    for sample in rows:
        offered = {t.name for t in sample.tools}
        assert not any(c.name in pair and pair <= offered for c in sample.label.calls for pair in twins)


def test_what_tells_two_tools_apart() -> None:
    by_name = {a.tool.name: a for a in usable(TWINS + LISTS)[0]}
    said = {"lamp_id": "LAM-1"}

    def rival(target: str, text: str, *others: str, args: dict[str, Any] = said) -> str:
        return other_fits(by_name[target], args, text, [by_name[target], *(by_name[o] for o in others)])

    assert rival("get_lamp", "show me lamp \ue000LAM-1\ue001", "fetch_lamp_v2") == "fetch_lamp_v2"
    assert rival("get_lamp", "show me lamp \ue000LAM-1\ue001", "delete_lamp", "get_gate") == ""
    assert rival("delete_lamp", "remove lamp \ue000LAM-1\ue001", "get_lamp", "remove_lamp") == "remove_lamp"
    account = {"account_id": "A"}
    assert (
        rival("ListLamps", "get a list with account ID \ue000A\ue001", "ListGates", args=account)
        == "ListGates"
    )
    assert (
        rival("ListLamps", "get a list of lamps with account ID \ue000A\ue001", "ListGates", args=account)
        == ""
    )


def test_nothing_is_asked_back_where_another_tool_may_find_it() -> None:
    tools = [tool("list_lamps", "List all lamps"), *TWINS[2:3], tool("ring_bell", "Ring a bell", bell_id={})]
    for sample in drawn(tools, 40, kinds=["ask"]):
        names = {t.name for t in sample.tools}
        assert not (sample.meta["targets"] == ["delete_lamp"] and "list_lamps" in names)


# ------------------------------------------------------- what a program sets, not a person


@pytest.mark.parametrize(
    ("name", "technical"),
    [
        ("X-Request-Id", True), ("Notion-Version", True), ("api_version", True), ("Idempotency-Key", True),
        ("pageToken", True), ("starting_after", True), ("version", False), ("city", False),
        ("order_id", False),
    ],
)  # fmt: skip
def test_headers_versions_and_cursors_are_a_programs(name: str, technical: bool) -> None:
    assert is_technical(name, {"type": "string"}) is technical


def test_no_header_or_version_is_asked_of_a_user() -> None:
    fixed = {"type": "string", "enum": ["2022-06-28"]}
    page = tool(
        "get_page",
        "Get a page",
        2,
        page_id={"type": "string"},
        **{"Notion-Version": fixed, "X-Trace": "For tracing"},
    )
    broken = tool("get_row", "Get a row", None, row_id={"type": "string"}, **{"Api-Version": "Version"})
    rows = drawn([page], 20)
    assert any(s.kind == "ask" for s in rows) and any(s.label.calls for s in rows)
    for sample in rows:
        said = f"{sample.request} {sample.label.reply}"
        assert not re.search("version|trace|2022-06-28|June 28", said, re.IGNORECASE)
        for call in sample.label.calls:
            assert set(call.arguments) == {"page_id", "Notion-Version"}
    assert "a program sets it" in usable([page, broken])[1]["get_row"]


# -------------------------------------------------------------------- room in the model


def test_tools_on_offer_fit_the_model_and_what_is_too_large_is_named() -> None:
    text = "The text that stands in this part of the page, in the visitor's language, with links"
    parts: dict[str, Any] = {f"part_{i}": text for i in range(600)}
    large = tool("publish_page", "Publish a page", 1, page_id={"type": "string"}, **parts)
    some: dict[str, Any] = {f"part_{i}": text for i in range(130)}
    half = [
        tool(f"add_{w}", f"Add a {w}", 1, name="e.g. 'dawn' or 'dusk'", **some)
        for w in ("poem", "song", "note")
    ]
    small = tool("delete_page", "Delete a page", page_id={"type": "string"})
    assert "too large" in usable([large, small])[1]["publish_page"]
    rows = drawn([large, small, *half], 30)
    assert {t.name for s in rows for t in s.tools} == {t.name for t in (small, *half)}
    # 2.5 bytes a token at the least, and 1,024 tokens kept for the dialogue.
    assert all(len(render_prompt(s.tools, s.messages)) < 2.5 * 8192 for s in rows)
    assert not short([large]) and short([small])


# ------------------------------------------------------------------- init, and what it says


def big_openapi() -> dict[str, Any]:
    """504 operations over 42 nouns, with references, headers and bodies."""
    paths: dict[str, Any] = {}
    for n in range(42):
        noun = f"{'abcdefghijklmnopqrstu'[n % 21]}{'io'[n // 21]}lamp"
        key = {"name": f"{noun}_id", "in": "path", "required": True, "schema": {"type": "string"}}
        trace = {"name": "X-Trace", "in": "header", "schema": {"type": "string"}}
        body = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}}

        def operation(name: str, summary: str, *parameters: Any, **more: Any) -> dict[str, Any]:
            return {"operationId": name, "summary": summary, "parameters": list(parameters), **more}

        paths[f"/{noun}s"] = {
            "get": operation(f"{noun}.list", f"List all {noun}s", trace),
            "post": operation(f"create_{noun}", f"Create a {noun}", trace, requestBody=body),
        }
        paths[f"/{noun}s/{{{noun}_id}}"] = {
            "get": operation(f"get_{noun}", f"Get a {noun}", key, trace),
            "delete": operation(f"delete_{noun}", f"Delete a {noun}", key, trace),
        }
        for verb in ("pin", "mute", "archive", "lock", "share", "export", "follow", "hide"):
            paths[f"/{noun}s/{{{noun}_id}}/{verb}"] = {
                "post": operation(f"{verb}_{noun}", f"{verb.title()} a {noun}", key, trace)
            }
    thing = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    broken = {"operationId": "broken", "summary": "Break", "parameters": [{"in": "query"}]}
    paths["/broken"] = {"get": broken}
    return {"openapi": "3.0.3", "paths": paths, "components": {"schemas": {"Thing": thing}}}


def test_init_on_500_operations_ends_with_a_table(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(json.dumps(big_openapi()))
    made = CliRunner().invoke(app, ["init", str(tmp_path / "run"), "--tools", str(tmp_path / "api.json")])
    assert made.exit_code == 0, made.output
    assert "504 tools in" in made.output and "42 renamed" in made.output and "1 left out" in made.output
    assert "a parameter has no name" in made.output
    assert re.search(r"\d+ of \d+ tried requests refused by a check", made.output)
    # Some requests with their labels are there to be read.
    read = re.search(r"(\d+) of the (\d+) tools that get requests", made.output)
    labels = re.findall(r"-> (\w+)\(", made.output.partition(read[0])[2])
    assert 4 <= len(labels) == int(read[1]) <= 6 < int(read[2]) and len(set(labels)) == len(labels)


def test_a_trial_counts_what_is_refused() -> None:
    pool, _ = usable(TWINS)
    tried = trial(pool, short)
    assert tried.refused["another tool on offer fits as well"] and tried.tried > len(pool)
    assert not tried.without  # alone on offer each of them can be asked for
