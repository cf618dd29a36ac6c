"""Paid calls against a local server: nothing is asked twice, nothing is lost, no key is written."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted
from paid_calls import at, echo, question

from looptool_kit.core.endpoint import Endpoint, EndpointError
from looptool_kit.core.samples import Frozen
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import Request, json_object, totals
from looptool_kit.llm.structured import Prompt, ask

TESTS = Path(__file__).parents[1]


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
    twice = complete([*requests, *requests], endpoint, store)
    assert len(twice) == 4 and totals(twice, endpoint) == total._replace(cached=2), (
        "equal requests are one call"
    )


def test_text_that_is_no_unicode_arrives_as_something_that_can_be_written(store: Path) -> None:
    with MockLLM(lambda _: "a \ud800 b") as server:
        reply = complete([question("\udfff?")], at(server), store)[0]
    assert reply.text == "a ? b"


# ----------------------------------------------------------- killed and stopped

WORKER = """
import signal
import sys
from pathlib import Path
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import Request
# A shell starts what it runs in the background with interrupts ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
endpoint = Endpoint(base_url=sys.argv[1], model="mock", key_env="NO_SUCH_KEY")
requests = [Request([{"role": "user", "content": str(i)}]) for i in range(int(sys.argv[3]))]
try:
    replies = complete(requests, endpoint, Path(sys.argv[2]))
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
