"""Calls that fail: tried again where that helps, never kept, and explained."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted, completion
from paid_calls import at, echo, question

from looptool_kit.core.endpoint import EndpointError
from looptool_kit.llm.calls import MAX_WAIT
from looptool_kit.llm.client import complete

# ------------------------------------------------------------------- failures


def test_of_thirty_percent_failures_nothing_is_lost(store: Path) -> None:
    requests = [question(i) for i in range(200)]
    with MockLLM(echo, fail=0.3, retry_after="0.01") as server:
        once = complete(requests, at(server, retries=0), store)
        lost = [r for r in once if r.text is None]
        assert 20 < len(lost) < 100 and all(r.error == "status 503: overloaded" for r in lost)
        assert len(server.log) == 200
        healed = complete(requests, at(server, retries=12), store)
        assert [r.text for r in healed] == [f"said {i}" for i in range(200)]
        assert sum(r.cached for r in healed) == 200 - len(lost)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(store: Path, status: int) -> None:
    def busy_once(body: dict[str, Any]) -> str | Scripted:
        return "there" if len(server.log) > 1 else Scripted("{}", status, {"Retry-After": "0.7"})

    with MockLLM(busy_once) as server:
        assert complete([question("a")], at(server), store)[0].text == "there"
        assert server.log[1]["time"] - server.log[0]["time"] >= 0.7


def test_a_server_that_asks_to_wait_too_long_is_not_waited_for(store: Path) -> None:
    with MockLLM(lambda _: Scripted("{}", 429, {"Retry-After": str(int(MAX_WAIT) + 1)})) as server:
        reply = complete([question("a")], at(server), store)[0]
        assert "429" in reply.error and "asks to wait" in reply.error and len(server.log) == 1


@pytest.mark.parametrize("year", [1971, 2099])
def test_a_date_to_wait_for_is_one_of_the_servers_clock(
    store: Path, monkeypatch: pytest.MonkeyPatch, year: int
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime(year, 1, 1, tzinfo=UTC)

    at_noon = {
        "Date": "Fri, 27 Nov 2026 12:00:00 GMT",
        "Retry-After": "Fri, 27 Nov 2026 12:00:01 GMT",
    }

    def busy_once(body: dict[str, Any]) -> str | Scripted:
        return "there" if len(server.log) > 1 else Scripted("{}", 429, at_noon)

    monkeypatch.setattr("looptool_kit.llm.calls.datetime", Wrong)
    with MockLLM(busy_once) as server:
        assert complete([question("a")], at(server), store)[0].text == "there"
        assert server.log[1]["time"] - server.log[0]["time"] >= 1


HALF = [
    Scripted('{"choices": [{"message": {"content": "", "refusal": "no \\ud800"}}]}'),
    Scripted('{"choices": [{"message": {"content": "\\udfff said"}}]}'),
    Scripted('{"choices": [{"message": {"content": "x"}, "finish_reason": "length"}], "id": "\\ud800"}'),
    Scripted('{"error": {"message": "no \\ud800"}}', 400),
    Scripted('{"error": {"message": {"\\udcff": ["\\ud800"]}}}', 503),
    Scripted('{"error": "\\ud800"}', 422),
]


@pytest.mark.parametrize("said", HALF)
def test_half_of_a_character_is_in_no_reply(store: Path, said: Scripted) -> None:
    """No table can hold it: a reply's words become those of a verdict or of a rejected row."""
    with MockLLM(lambda _: said) as server:
        for _ in range(2):  # the second time from the store, where it was kept
            reply = complete([question("a")], at(server, retries=0), store)[0]
            (reply.text or "").encode()
            reply.error.encode()
            assert reply.text or reply.error


MALFORMED = {
    "not a chat completion": [
        "",
        "<html>",
        "[]",
        "null",
        "{}",
        '{"choices": []}',
        '{"choices": [{}]}',
        '{"error": {"message": "no"}}',
        "[" * 5000,
    ],
    "without text": [completion(None, {}), completion("  ", {}), completion(None, {}, tool_calls=[])],
}


@pytest.mark.parametrize(
    ("why", "body"), [(why, body) for why, bodies in MALFORMED.items() for body in bodies]
)
def test_a_malformed_answer_is_tried_again_and_never_kept(store: Path, why: str, body: str) -> None:
    with MockLLM(lambda _: Scripted(body)) as server:
        reply = complete([question("a")], at(server, retries=1), store)[0]
        assert reply.text is None and why in reply.error and len(server.log) == 2
        server.answer = echo
        assert complete([question("a")], at(server), store)[0].text == "said a"


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (completion("half an ans", {}, "length"), "length"),
        (completion(None, {}, refusal="No."), "refused: No."),
        (completion("", {}, "content_filter"), "content_filter"),
    ],
)
def test_a_cut_or_refused_answer_is_no_text_but_is_paid_once(store: Path, body: str, why: str) -> None:
    with MockLLM(lambda _: Scripted(body)) as server:
        for _ in range(2):
            reply = complete([question("a")], at(server), store)[0]
            assert reply.text is None and why in reply.error
        assert len(server.log) == 1


def test_a_time_out_is_a_failure_with_its_reason(store: Path) -> None:
    with MockLLM(echo, latency=5) as server:
        reply = complete([question("a")], at(server, timeout=0.1, retries=0), store)[0]
    assert reply.error == "no answer within 0.1 s"


def test_a_bad_request_fails_alone_and_at_once(store: Path) -> None:
    def picky(body: dict[str, Any]) -> str | Scripted:
        return (
            Scripted('{"error": {"message": "too long"}}', 400)
            if body["messages"][0]["content"] == "3"
            else echo(body)
        )

    with MockLLM(picky) as server:
        replies = complete([question(i) for i in range(6)], at(server), store)
        assert [r.error for r in replies] == ["", "", "", "status 400: too long", "", ""] and len(
            server.log
        ) == 6


@pytest.mark.parametrize(
    ("status", "words"), [(401, ["NO_SUCH_KEY", "is not set"]), (404, ["no model 'mock'"])]
)
def test_what_can_never_succeed_stops_everything_with_the_remedy(
    store: Path, status: int, words: list[str]
) -> None:
    with MockLLM(lambda _: Scripted('{"error": {"message": "no"}}', status)) as server:
        with pytest.raises(EndpointError) as error:
            complete([question(i) for i in range(500)], at(server, concurrency=4), store)
        assert all(w in str(error.value) for w in [*words, server.url]) and len(server.log) <= 4


def test_a_dead_server_is_not_asked_for_ever(store: Path) -> None:
    with MockLLM(echo) as server:
        endpoint = at(server, concurrency=4, retries=0)
    replies = complete([question(i) for i in range(300)], endpoint, store)
    assert all(r.text is None for r in replies) and sum("not tried" in r.error for r in replies) >= 300 - 12
    assert "Connect" in replies[-1].error


@pytest.mark.parametrize("refused", ["max_tokens", "temperature", "response_format"])
def test_models_that_want_another_parameter_get_it(store: Path, refused: str) -> None:
    def modern(body: dict[str, Any]) -> str | Scripted:
        message = f"Unsupported parameter: '{refused}' is not supported with this model."
        return (
            Scripted(json.dumps({"error": {"message": message, "param": refused}}), 400)
            if refused in body
            else echo(body)
        )

    with MockLLM(modern) as server:
        replies = complete(
            [question(i, schema={"type": "object"}) for i in range(4)], at(server, concurrency=1), store
        )
        assert [r.error for r in replies] == [""] * 4 and len(server.log) == 5
        assert ("max_completion_tokens" in server.log[-1]["body"]) == (refused == "max_tokens")
