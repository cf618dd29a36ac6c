"""Codes whose form a description tells, of this parameter or of its namesake in another tool."""

from __future__ import annotations

import re
from typing import Any

import pytest

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed import templates

WORK: dict[str, Any] = {"type": "string", "enum": ["planned", "running", "done"]}


def tool(name: str, description: str, **parameters: Any) -> Tool:
    schema = {"type": "object", "properties": parameters, "required": list(parameters)}
    return Tool(name=name, description=description, parameters=schema)


def codes(tools: list[Tool], name: str, called: str) -> set[str]:
    """The values of a parameter in the calls of a tool."""
    rows = templates.generate(tools, 30, seed=3)
    return {
        c.arguments[name] for s in rows for c in s.label.calls if c.name == called and name in c.arguments
    }


@pytest.mark.parametrize(
    ("told", "form"),
    [
        ("Format P-######", r"P-\d{6}"),
        ("Format AB-####", r"AB-\d{4}"),
        ("SO followed by 8 digits", r"SO\d{8}"),
        ("Internal number, JB- followed by six digits.", r"JB-\d{6}"),
        ("R- followed by digits", r"R-\d{5}"),
        ("L-2025-0043 style", r"L-20\d\d-\d{4}"),
        ("in the form QX-104-B", r"QX-\d{3}-B"),
        ("The job's event (JB-...)", r"JB-\d{4,5}"),
        ("Format: SITE-XXXXX (5 digits)", r"SITE-\d{5}"),
        ("T- plus 3 digits", r"T-\d{3}"),
        ("J and six digits", r"J\d{6}"),
        ("JB- (7 digits)", r"JB-\d{7}"),
        ("Job code: RTM1, GDN1, LIL2", r"RTM1|GDN1|LIL2"),
    ],
)
def test_the_form_that_is_told_holds_here_and_for_its_namesakes(told: str, form: str) -> None:
    tools = [
        tool("get_job", "Show a job of the workshop.", job_id={"type": "string", "description": told}),
        tool("print_sheet", "Print the sheet of a job.", job_id={"type": "string"}),
    ]
    for called in ("get_job", "print_sheet"):
        found = codes(tools, "job_id", called)
        assert found and all(re.fullmatch(form, code) for code in found), (called, found)


def test_a_number_that_names_one_has_the_form_of_its_namesake() -> None:
    tools = [
        tool(
            "get_donor", "Show a donor.", donor_no={"type": "string", "description": "Donor number, 8 digits"}
        ),
        tool(
            "list_gifts",
            "List the gifts of a donor.",
            donor_no={"type": "string", "description": "The donor"},
        ),
    ]
    found = codes(tools, "donor_no", "list_gifts")
    assert found and all(re.fullmatch(r"\d{8}", code) for code in found)


def test_a_reference_has_the_form_of_its_namesake() -> None:
    told = {"type": "string", "description": "6 character reference, e.g. K7QX2M"}
    tools = [
        tool("get_booking", "Show a booking.", booking_ref=told),
        tool("cancel_booking", "Cancel a booking.", booking_ref={"type": "string"}),
    ]
    found = codes(tools, "booking_ref", "cancel_booking")
    assert found and all(re.fullmatch(r"K\dQX\dM", code) for code in found)


def test_a_list_of_ids_has_the_form_that_one_of_them_has_elsewhere() -> None:
    ids = {"type": "array", "items": {"type": "string"}}
    tools = [
        tool("get_turbine", "Show a turbine.", turbine_id={"type": "string", "description": "e.g. KRB-014"}),
        tool("stop_turbines", "Stop turbines.", turbine_ids=ids),
    ]
    calls = [
        c for s in templates.generate(tools, 30, seed=3) for c in s.label.calls if c.name == "stop_turbines"
    ]
    assert calls and all(
        re.fullmatch(r"KRB-\d{3}", code) for c in calls for code in c.arguments["turbine_ids"]
    )


def test_the_example_of_a_number_may_hold_a_year() -> None:
    told = {"type": "string", "description": "Format BP-YYYY-NNNNN, e.g. BP-2024-01873"}
    found = codes([tool("get_permit", "Show a permit.", permit_number=told)], "permit_number", "get_permit")
    assert found and all(re.fullmatch(r"BP-20\d\d-\d{5}", code) for code in found)


@pytest.mark.parametrize(
    ("told", "form"),
    [
        ("Request ID, e.g. TR-20250314-0087 (TR, date, running number).", r"TR-202[567][01]\d[0-3]\d-\d{4}"),
        ("e.g. L-2025-03-0087", r"L-202[345]-(?:0[1-9]|1[0-2])-\d{4}"),
        ("e.g. 2025/03/14-7", r"202[567]/(?:0[1-9]|1[0-2])/[0-3]\d-\d"),
        ("P followed by two-digit year, hyphen and six digits (e.g. P24-018832)", r"P2[345]-\d{6}"),
        ("Country, letter and number, e.g. NL-X-4711 or BE-C-1200", r"NL-X-4711|BE-C-1200"),
        ("Seven digits and a check digit, e.g. 4711008-3", r"4711008-3"),
        ("e.g. OBN-CRN-20250714-0930", r"OBN-CRN-202[567][01]\d[0-3]\d-0930"),
        ("e.g. A-12-0311", r"A-12-0311"),
        ("e.g. cls_3f2k", r"cls_\df\dk"),
        ("Looks like v_ and then a short name, e.g. v_hollowmere", "v_hollowmere"),
    ],
)
def test_parts_of_a_code_that_have_a_meaning_keep_it(told: str, form: str) -> None:
    tools = [tool("get_request", "Show a request.", request_id={"type": "string", "description": told})]
    found = codes(tools, "request_id", "get_request")
    assert found and all(re.fullmatch(form, code) for code in found), found


def test_how_a_phone_number_is_written_holds_for_its_namesakes() -> None:
    told = {"type": "string", "description": "Mobile number, digits only"}
    untold = {"type": "string"}
    tools = [
        tool("open_ticket", "Open a ticket for a customer.", customer_phone=told),
        tool("list_tickets", "List the tickets of a customer.", customer_phone=untold),
    ]
    able, why = templates.usable(tools, lambda tools: True)
    assert not able and all("customer_phone" in reason for reason in why.values())
    assert codes(tools[1:], "customer_phone", "list_tickets")


def test_how_a_user_name_is_written_holds_for_its_namesakes() -> None:
    told = {"type": "string", "description": "2-3 letters and 4 digits, e.g. mk4821"}
    tools = [
        tool("reset_password", "Reset a password.", username=told),
        tool("lock_account", "Lock an account.", username={"type": "string"}),
    ]
    for called in ("reset_password", "lock_account"):
        found = codes(tools, "username", called)
        assert found and all(re.fullmatch(r"mk\d{4}", name) for name in found)
    bare = [
        tool("lock_account", "Lock an account.", username={"type": "string", "description": "Two letters"})
    ]
    assert "username" in templates.usable(bare, lambda tools: True)[1]["lock_account"]


@pytest.mark.parametrize("told", ["v_ plus a short name, e.g. v_", "Such as v_ or e.g. a name"])
def test_a_prefix_is_no_example(told: str) -> None:
    tools = [
        tool("get_vendor", "Show a vendor.", vendor_id={"type": "string", "description": told}),
        tool("get_depot", "Show a depot.", depot_id={"type": "string"}),
    ]
    assert "vendor_id" in templates.usable(tools, lambda tools: True)[1]["get_vendor"]


def test_hours_of_a_list_are_no_duration() -> None:
    hours = {"type": "integer", "minimum": 1, "maximum": 48}
    tools = [tool("list_passes", "List the passes of a satellite.", hours=hours)]
    assert "hours" in templates.usable(tools, lambda tools: True)[1]["list_passes"]


def test_a_city_with_its_state_is_said_as_the_example_or_not_at_all() -> None:
    told = {"type": "string", "description": "City, ST - e.g. Dallas, TX"}
    untold = {"type": "string", "description": "City, ST"}
    stops = [
        tool("find_stops", "Find stops near a city.", city=told),
        tool("list_depots", "List depots.", city=untold),
    ]
    able, why = templates.usable(stops, lambda tools: True)
    assert [a.tool.name for a in able] == ["find_stops"] and "city" in why["list_depots"]
    assert codes(stops[:1], "city", "find_stops") == {"Dallas, TX"}


def test_two_codes_are_two_examples() -> None:
    told = {"type": "string", "description": "ISO code, e.g. ET, CO"}
    found = codes([tool("find_lots", "Find lots of coffee.", origin_code=told)], "origin_code", "find_lots")
    assert found == {"ET", "CO"}


def test_two_forms_of_one_name_are_not_guessed_from() -> None:
    tools = [
        tool("get_job", "Show a job.", job_id={"type": "string", "description": "Format P-######"}),
        tool("get_bill", "Show the bill of a job.", job_id={"type": "string", "description": "Format X####"}),
        tool("set_job_status", "Set the status of a job.", job_id={"type": "string"}, status=WORK),
    ]
    able, why = templates.usable(tools, lambda tools: True)
    assert [a.tool.name for a in able] == ["get_job", "get_bill"] and "job_id" in why["set_job_status"]


@pytest.mark.parametrize(
    "told",
    [
        "Ten hex characters",
        "Two letters, the year and a running number",
        "Starts with the depot's code",
        "As on the slip, JB-<year>-<number>",
        "9-character alphanumeric",
        "Ends with a check digit",
        "Depot prefix plus the number",
        "Two-digit year and 6 digits",
        "Format AB##-###",
        "PO-##/####",
        "job_XXXXXXXX",
        "JB-yyyymmdd-nnnn",
    ],
)
def test_a_form_that_cannot_be_read_is_not_guessed(told: str) -> None:
    form = {"type": "string", "description": told}
    tools = [
        tool("get_job", "Show a job.", job_id=form),
        tool("print_sheet", "Print the sheet of a job.", job_id={"type": "string"}),
        tool("copy_sheet", "Copy the sheet of a job.", original_job_id={"type": "string"}),
        tool("get_depot", "Show a depot.", depot_id={"type": "string"}),
    ]
    able, why = templates.usable(tools, lambda tools: True)
    assert [a.tool.name for a in able] == ["get_depot"]
    assert all("job_id" in why[name] for name in ("get_job", "print_sheet", "copy_sheet"))


def test_an_original_number_has_the_form_of_the_number() -> None:
    tools = [
        tool("get_case", "Show a case.", case_number={"type": "string", "description": "e.g. C24-10877"}),
        tool(
            "reopen_case",
            "Reopen a case of the lab.",
            original_case_number={"type": "string"},
            cause={"type": "string", "enum": ["new evidence", "an appeal"]},
        ),
    ]
    found = codes(tools, "original_case_number", "reopen_case")
    assert found and all(re.fullmatch(r"C\d\d-\d{5}", code) for code in found)


@pytest.mark.parametrize(
    ("pattern", "form"),
    [
        (r"^JB-\d{4,6}$", r"JB-\d{4,6}"),
        ("^[1-9][0-9]{7}$", r"\d{8}"),
        ("^job_[a-z0-9]{8}$", r"job_[a-z0-9]{8}"),
        (r"^[A-Z]{3}-[A-Z]{3}-\d{8}-\d{4}$", ""),
        (r"^P\d{2}-\d{6}$", ""),
        (r"^(?:J|K)\d{6}$", ""),
    ],
)
def test_a_pattern_of_several_parts_says_not_what_they_mean(pattern: str, form: str) -> None:
    tools = [
        tool("get_job", "Show a job.", job_id={"type": "string", "pattern": pattern}),
        tool("get_depot", "Show a depot.", depot_id={"type": "string"}),
    ]
    if form:
        assert all(re.fullmatch(form, code) for code in codes(tools, "job_id", "get_job"))
    else:
        assert "job_id" in templates.usable(tools, lambda tools: True)[1]["get_job"]


def test_a_whole_number_has_the_range_of_its_namesake() -> None:
    told = {"type": "integer", "minimum": 4_000_000, "maximum": 4_999_999}
    tools = [
        tool("close_order", "Close a work order.", OrderNo=told),
        tool("get_order", "Show a work order.", OrderNo={"type": "integer"}),
    ]
    found = {int(n) for n in codes(tools, "OrderNo", "get_order")}
    assert found and all(4_000_000 <= n < 5_000_000 for n in found)


@pytest.mark.parametrize("told", ["Ten hex characters", "SK- and 5 digits"])
def test_the_form_holds_in_the_lines_of_an_order_too(told: str) -> None:
    line = {
        "type": "object",
        "properties": {"sku": {"type": "string"}, "quantity": {"type": "integer", "minimum": 1}},
        "required": ["sku", "quantity"],
    }
    tools = [
        tool("get_article", "Show an article.", sku={"type": "string", "description": told}),
        tool("create_order", "Create an order.", lines={"type": "array", "items": line}),
        tool("get_depot", "Show a depot.", depot_id={"type": "string"}),
    ]
    able, why = templates.usable(tools, lambda tools: True)
    if "hex" in told:
        assert [a.tool.name for a in able] == ["get_depot"] and "sku" in why["create_order"]
        return
    rows = templates.generate(tools, 30, seed=3)
    lines = [ln for s in rows for c in s.label.calls for ln in c.arguments.get("lines", ())]
    assert lines and all(re.fullmatch(r"SK-\d{5}", ln["sku"]) for ln in lines)


@pytest.mark.parametrize("kinds", [("integer", "integer"), ("string", "integer"), ("integer", "string")])
def test_the_digits_of_a_number_hold_for_its_namesakes(kinds: tuple[str, str]) -> None:
    tools = [
        tool("get_job", "Show a job.", job_no={"type": kinds[0], "description": "6-digit job number"}),
        tool("close_job", "Close a job.", job_no={"type": kinds[1]}),
    ]
    for called in ("get_job", "close_job"):
        found = codes(tools, "job_no", called)
        assert found and all(re.fullmatch(r"[1-9]\d{5}", str(code)) for code in found)


@pytest.mark.parametrize("told", ["Year and four digits", "Ends with a check digit", "Starts with 9"])
def test_a_form_of_a_number_that_cannot_be_read_is_not_guessed(told: str) -> None:
    tools = [
        tool("get_job", "Show a job.", job_no={"type": "integer", "description": told}),
        tool("print_job", "Print a job.", job_no={"type": "integer"}),
        tool("get_depot", "Show a depot.", depot_id={"type": "string"}),
    ]
    able, why = templates.usable(tools, lambda tools: True)
    assert [a.tool.name for a in able] == ["get_depot"] and "job_no" in why["print_job"]


def test_a_code_with_a_meaning_is_said_as_its_example() -> None:
    told = {"type": "string", "description": "UTBMS task code, e.g. L310"}
    tools = [tool("list_entries", "List time entries.", task_code=told)]
    assert codes(tools, "task_code", "list_entries") == {"L310"}


def test_which_one_is_meant_is_said() -> None:
    by = {"member_id": {"type": "string", "description": "Ten hex characters"}, "nick": {"type": "string"}}
    get = Tool(
        name="get_member", description="Get a member.", parameters={"type": "object", "properties": by}
    )
    assert "which one" in templates.usable([get], lambda tools: True)[1]["get_member"]


def test_a_sku_is_not_called_after_what_it_is_in() -> None:
    told = {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{2,6}$"}
    tools = [
        tool("get_stock", "Show the stock.", sku={**told, "description": "e.g. HOP-12, MLT-310"}),
        tool("move_stock", "Move stock to the cellar.", sku=told),
        tool("find_orders", "Find orders with an article.", sku={"type": "string"}),
    ]
    found = codes(tools, "sku", "find_orders")
    assert found and all(re.fullmatch(r"(?:HOP|MLT)-\d{2,3}", code) for code in found)
    found = codes(tools[-1:], "sku", "find_orders")
    assert found and all(re.fullmatch(r"SKU-\d+", code) for code in found)


def test_the_tools_in_the_samples_are_as_they_were_given() -> None:
    given = [
        tool("get_job", "Show a job.", job_id={"type": "string", "description": "Format P-######"}),
        tool("set_job_status", "Set the status of a job.", job_id={"type": "string"}, status=WORK),
    ]
    assert all(offered in given for s in templates.generate(given, 20, seed=1) for offered in s.tools)


@pytest.mark.parametrize("told", ["UTF-8 format", "ISO-8601 format", "C# project", "issue #12"])
def test_names_of_standards_are_no_codes(told: str) -> None:
    tools = [tool("get_job", "Show a job of the workshop.", job_id={"type": "string", "description": told})]
    assert all(re.fullmatch(r"JOB-\d+", code) for code in codes(tools, "job_id", "get_job"))


def test_what_is_declined_is_never_an_id_alone() -> None:
    tools = [tool("get_job", "Show a job of the workshop.", job_id={"type": "string"})]
    rows = templates.generate(tools, 150, seed=2, kinds=["decline"])
    assert len(rows) > 60
    assert [
        s.request
        for s in rows
        if re.search(
            r"\b(?:delete|cancel|remove) [A-Z]+-?\d+\W*$|\b(?:move|shift) [A-Z]+-?\d+ to ", s.request
        )
    ] == []
