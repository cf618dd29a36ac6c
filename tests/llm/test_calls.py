"""Paid calls against a local server: nothing is asked twice, nothing is lost, no key is written."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted, completion

from looptool_kit.core.samples import Frozen
from looptool_kit.llm.client import (
    LONGEST_WAIT,
    Endpoint,
    EndpointError,
    Request,
    complete,
    json_object,
    totals,
)
from looptool_kit.llm.structured import Prompt, ask

TESTS = Path(__file__).parents[1]


def echo(body: dict[str, Any]) -> str:
    return f"said {body['messages'][-1]['content']}"


def question(text: object, **changes: Any) -> Request:
    return Request([{"role": "user", "content": str(text)}], **changes)


@pytest.fixture
def server() -> Iterator[MockLLM]:
    with MockLLM(echo) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "run" / "calls.sqlite"


def at(server: MockLLM, **changes: Any) -> Endpoint:
    return Endpoint(**{"base_url": server.url, "model": "mock", "key_env": "NO_SUCH_KEY"} | changes)


# ---------------------------------------------------------------------- store


def test_replies_come_in_order_and_are_asked_once(server: MockLLM, store: Path) -> None:
    requests = [question(i % 30) for i in range(40)]
    first = complete(requests, at(server), store)
    assert [r.text for r in first] == [f"said {i % 30}" for i in range(40)] and not any(
        r.cached for r in first
    )
    assert len(server.log) == 30
    again = complete(requests, at(server), store)
    assert len(server.log) == 30 and all(r.cached for r in again)
    assert [r._replace(cached=False) for r in again] == first
    assert complete([], at(server), store) == []


def test_whatever_changes_the_question_is_another_one_and_what_does_not_is_not(
    server: MockLLM, store: Path
) -> None:
    schema = {"type": "object", "properties": {}}
    variants = [
        question("a"),
        question("b"),
        question("a", seed=1),
        question("a", temperature=0.5),
        question("a", max_tokens=9),
    ]
    variants += [
        question("a", schema=schema),
        Request([{"role": "system", "content": ""}, {"role": "user", "content": "a"}]),
    ]
    complete(variants, at(server), store)
    complete(variants[:1], at(server, model="other"), store)
    assert len(server.log) == len(variants) + 1
    complete(
        variants,
        at(
            server,
            base_url=server.url + "/",
            concurrency=1,
            timeout=5,
            retries=0,
            price_in=3,
            key_env="OTHER",
        ),
        store,
    )
    assert len(server.log) == len(variants) + 1
    assert all("seed" not in r["body"] for r in server.log)


def test_the_schema_is_sent_strictly_where_it_can_be(server: MockLLM, store: Path) -> None:
    inner = {
        "type": "object",
        "properties": {"x": {"type": "integer"}},
        "required": ["x"],
        "additionalProperties": False,
    }
    closed = {
        "type": "object",
        "properties": {"inner": inner},
        "required": ["inner"],
        "additionalProperties": False,
    }
    opened = closed | {"properties": {"inner": {"type": "object"}}}
    complete([question(1, schema=closed), question(2, schema=opened)], at(server, concurrency=1), store)
    sent = [r["body"]["response_format"]["json_schema"] for r in server.log]
    assert [(s["schema"], s["strict"]) for s in sent] == [(closed, True), (opened, False)]


def test_a_form_is_sent_in_its_own_order(server: MockLLM, store: Path) -> None:
    """Servers have the properties written in the schema's order: reasons must come before what they are
    reasons for.
    """

    class Plan(Frozen):
        why: str
        decision: str
        after: str

    ask(Plan, [Prompt("s", "u")], at(server), store, "ask")
    schema = server.log[0]["body"]["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["why", "decision", "after"]


def test_sixty_four_calls_are_in_flight_and_no_more(store: Path) -> None:
    with MockLLM(echo, latency=2.0) as server:  # long enough to send them all on a busy machine
        complete([question(i) for i in range(70)], at(server), store)
    assert server.in_flight == 64


def test_totals_count_tokens_and_money_of_stored_answers_too(server: MockLLM, store: Path) -> None:
    endpoint = at(server, price_in=2.0, price_out=10.0)
    requests = [question("three words here"), question("one")]
    complete(requests[:1], endpoint, store)
    total = totals(complete(requests, endpoint, store), endpoint)
    assert total == (2, 0, 1, 4, 6, pytest.approx((4 * 2 + 6 * 10) / 1e6))


def test_text_that_is_no_unicode_arrives_as_something_that_can_be_written(store: Path) -> None:
    with MockLLM(lambda _: "a \ud800 b") as server:
        reply = complete([question("\udfff?")], at(server), store)[0]
    assert reply.text == "a ? b"


# ----------------------------------------------------------- killed and stopped

WORKER = """
import signal
import sys
from pathlib import Path
from looptool_kit.calls import Endpoint, Request, complete
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it runs in the background with interrupts ignored
endpoint = Endpoint(base_url=sys.argv[1], model="mock", key_env="NO_SUCH_KEY")
try:
    replies = complete([Request([{"role": "user", "content": str(i)}]) for i in range(int(sys.argv[3]))], endpoint, Path(sys.argv[2]))
    print("answered", sum(r.text is not None for r in replies))
except KeyboardInterrupt:
    print("interrupted")
"""


def worker(server: MockLLM, store: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WORKER, server.url, str(store), str(count)]
    return subprocess.Popen(
        command, cwd=TESTS.parent, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


def stop_at_half(server: MockLLM, store: Path, count: int, with_signal: int) -> str:
    half, latency = threading.Event(), server.latency

    def slow_down(record: dict[str, Any]) -> None:
        if not half.is_set() and sum(r["status"] == 200 for r in server.log) >= count // 2:
            server.latency = (
                2.0  # the other half takes ten seconds: the signal comes in the middle on a busy machine too
            )
            half.set()

    server.on_call = slow_down
    process = worker(server, store, count)
    assert half.wait(60)
    process.send_signal(with_signal)
    said = process.communicate(timeout=60)[0]
    server.latency = latency
    return said


@pytest.mark.parametrize("with_signal", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_process_repeats_at_most_the_calls_in_flight(store: Path, with_signal: int) -> None:
    with MockLLM(echo, latency=0.2) as server:
        said = stop_at_half(server, store, 600, with_signal)
        before = len(server.log)
        assert said == ("interrupted\n" if with_signal == signal.SIGINT else "") and before < 600
        assert worker(server, store, 600).communicate(timeout=120)[0] == "answered 600\n"
        assert len(server.log) - 600 <= 64


def test_it_works_inside_a_running_event_loop(server: MockLLM, store: Path) -> None:
    async def cell() -> list[str | None]:
        return [r.text for r in complete([question(i) for i in range(5)], at(server), store)]

    assert asyncio.run(cell()) == [f"said {i}" for i in range(5)]


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
    with MockLLM(lambda _: Scripted("{}", 429, {"Retry-After": str(int(LONGEST_WAIT) + 1)})) as server:
        reply = complete([question("a")], at(server), store)[0]
        assert "429" in reply.error and "asks to wait" in reply.error and len(server.log) == 1


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
    ("body", "why"), [(completion("half an ans", {}, "length"), "length"), (completion(None, {}, refusal="No."), "refused: No."),
                      (completion("", {}, "content_filter"), "content_filter")]
)  # fmt: skip
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


# ------------------------------------------------------------------------ keys


def test_the_key_is_sent_and_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = "sk-very-secret-0123456789"
    monkeypatch.setenv("MY_KEY", secret)

    def indiscreet(body: dict[str, Any]) -> str | Scripted:
        text = f"your key is {secret}"
        if body["messages"][0]["content"] == "fail":
            return Scripted(json.dumps({"error": {"message": text}}), 400, {"X-Key": secret})
        return text

    from looptool_kit.run.folder import Run

    with MockLLM(indiscreet) as server:
        endpoint = at(server, key_env="MY_KEY")
        run = Run.create(tmp_path / "run", "cpu", judge_llm=endpoint.model_dump())
        replies = complete([question("a"), question("fail")], endpoint, run.path / "calls.sqlite")
        assert {r["authorization"] for r in server.log} == {f"Bearer {secret}"}
    monkeypatch.setenv("MY_KEY", "sk-other")
    with (
        MockLLM(lambda _: Scripted("{}", 401)) as server,
        pytest.raises(EndpointError, match="MY_KEY holds a key that it refuses") as error,
    ):
        run.set(judge_llm=at(server, key_env="MY_KEY").model_dump())
        complete([question("a")], at(server, key_env="MY_KEY"), run.path / "calls.sqlite")
    assert (
        replies[0].text is None
        and "repeats the API key of MY_KEY" in replies[0].error
        and replies[1].error == "status 400: your key is [key]"
    )
    seen = capfd.readouterr()
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert run.path / "calls.sqlite" in files
    for text in (
        *(p.read_bytes() for p in files),
        str(error.value).encode(),
        seen.out.encode(),
        seen.err.encode(),
        repr(replies).encode(),
    ):
        assert secret.encode() not in text and b"sk-other" not in text


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://me:hunter2@there/v1"},
        {"base_url": "http://there/v1?key=hunter2"},
        {"key_env": "sk-hunter2"},
        {"base_url": "x"},
    ],
)
def test_settings_that_would_hold_a_key_are_refused_without_repeating_it(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError) as error:
        Endpoint(**{"base_url": "http://localhost/v1", "model": "m"} | wrong)
    assert "hunter2" not in str(error.value)


# --------------------------------------------------------------------- answers

unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["</think>", "```", "}"]
)
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | unicode
)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(unicode, scalars, max_size=3)
frames = ["{}", "\n {} \n", "<think>a</think>\n{}", "```json\n{}\n```", "well</think>```\n{}\n```"]


@given(st.dictionaries(unicode, values, max_size=4), st.sampled_from(frames))
def test_an_object_is_read_with_thoughts_or_a_fence_around_it(value: dict[str, Any], frame: str) -> None:
    assert json_object(frame.replace("{}", json.dumps(value))) == value


@given(st.text(max_size=50) | values.map(json.dumps))
def test_anything_else_is_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert isinstance(json_object(text), dict)


@pytest.mark.parametrize(
    "text",
    [
        "[1]",
        '{"a": 1, "a": 2}',
        '{"a": NaN}',
        '{"a": 1} and more',
        'see {"a": 1}',
        "",
        '{"a": "\\ud800"}',
        "[" * 9999,
    ],
)
def test_what_is_not_exactly_one_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        json_object(text)


# ------------------------------------------------------------ server and store


def test_the_mock_server_runs_by_hand_and_logs_without_keys(
    tmp_path: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    command = [
        sys.executable,
        str(TESTS / "mock_llm.py"),
        "--port",
        "0",
        "--log",
        str(tmp_path / "log.jsonl"),
        "--fail",
        "0.3",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        endpoint = Endpoint(base_url=process.stdout.readline().strip(), model="mock", key_env="MY_KEY")
        schema = {"type": "object", "properties": {"verdict": {"enum": ["yes", "no"]}}}
        replies = complete([question("a", schema=schema), question("b")], endpoint, store)
        assert [r.text for r in replies] == ['{"verdict": "yes"}', "Hello from the mock."]
    finally:
        process.terminate()
        process.wait(30)
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert {r["body"]["messages"][0]["content"] for r in log} == {"a", "b"} and "sk-very" not in (
        tmp_path / "log.jsonl"
    ).read_text()


def test_the_store_is_an_ordinary_database(server: MockLLM, store: Path) -> None:
    complete([question("a")], at(server), store)
    with sqlite3.connect(store) as db:
        (row,) = db.execute("SELECT model, answer FROM calls").fetchall()
    assert row[0] == "mock" and json.loads(row[1])["choices"][0]["message"]["content"] == "said a"
