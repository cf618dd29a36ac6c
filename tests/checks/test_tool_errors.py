"""Which tool results are errors, by their form and not by a word in them."""

from __future__ import annotations

import pytest

from looptool_kit.checks.tool_errors import error_behind, is_error
from looptool_kit.core.samples import Message

ERRORS = (
    '{"error": "no ticket T-1"}',
    '{"error": {"code": 404}}',
    '{"isError": true, "content": [{"type": "text", "text": "gone"}]}',
    '{"status": "error", "reason": "x"}',
    '{"status": "ERROR"}',
    "Error: not found",
    "  [ERROR] not found",
    "Traceback (most recent call last):",
    "exception: boom",
    "Invalid date",
    '"Error: quoted"',
)
FINE = (
    "no errors found",
    "The film is called Terror",
    '{"error": null, "rows": []}',
    '{"error": "", "ok": true}',
    '{"error": false}',
    '{"isError": false}',
    '{"status": "ok", "errors": 0}',
    '{"result": "error budget left: 3"}',
    "errors: none",
    "error_count=0",
    "",
    "[]",
    "3",
)


@pytest.mark.parametrize("result", ERRORS)
def test_errors(result: str) -> None:
    assert is_error(result)


@pytest.mark.parametrize("result", FINE)
def test_what_is_no_error(result: str) -> None:
    assert not is_error(result)


def test_any_result_of_the_turn_counts_and_no_later_one() -> None:
    def result(text: str) -> Message:
        return Message(role="tool", content=text)

    turn = Message(role="assistant", content="x")
    said = [turn, result("{}"), result(ERRORS[0]), turn, result("{}"), Message(role="user", content="Error")]
    assert error_behind(said, 0) == ERRORS[0] and error_behind(said, 3) == "" == error_behind(said, 5)
