"""Paid calls against hostile and broken servers, keys and stores: bounded, with a reason, and nothing that
was paid is lost.
"""

from __future__ import annotations

import gzip
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from threading import Thread
from typing import Any

import pytest

pytest.importorskip("aiohttp")

from mock_llm import MockLLM, Scripted, completion
from paid_calls import question

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.checks.label import check_labels
from looptool_kit.cli import main
from looptool_kit.core.endpoint import Endpoint, EndpointError
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Probe, Verdict
from looptool_kit.core.samples import Samples, Tool
from looptool_kit.core.tables import write_json
from looptool_kit.core.toolcalls import Answer, tool_schemas
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.llm.calls import MAX_ANSWER_BYTES
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import totals
from looptool_kit.llm.store import spent
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import llm as expander
from looptool_kit.stages.seed.trees.agents import Agents
from looptool_kit.stages.seed.trees.dialogue import jobs, simulate
from looptool_kit.stages.seed.trees.tools import write_tools
from looptool_kit.stages.verify import Case, Context
from looptool_kit.stages.verify import llm as judge
from looptool_kit.tools.own_tools import init


def at(url: str, **changes: Any) -> Endpoint:
    return Endpoint(**{"base_url": url, "model": "mock", "key_env": "NO_SUCH_KEY", "retries": 1} | changes)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "run" / "calls.sqlite"


class Raw(ThreadingHTTPServer):
    """Answers every call with the same bytes and headers, `times` over."""

    body: bytes
    times = 1
    headers: dict[str, str]
    asked = 0
    sent = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, *_: Any) -> None:  # a client that hangs up is expected here
        pass


class Handler(BaseHTTPRequestHandler):
    server: Raw

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        self.send_response(200)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for _ in range(self.server.times):
            self.wfile.write(self.server.body)
            self.server.sent += len(self.server.body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw(("127.0.0.1", 0), Handler)
    server.headers = {}
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


# ---------------------------------------------------------------------- bounds


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_a_bomb_is_not_unpacked(raw: Raw, store: Path, packing: str) -> None:
    pack = gzip.compress if packing == "gzip" else zlib.compress
    raw.body, raw.headers = pack(completion("a" * 2**28, {}).encode()), {"Content-Encoding": packing}
    before = peak()
    reply = complete([question("a")], at(raw.url), store)[0]
    assert reply.text is None and f"more than {MAX_ANSWER_BYTES // 2**20} MB" in reply.error
    assert raw.asked == 1 and peak() - before < 2**27  # not tried again, and never in memory


def peak() -> int:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_an_endless_answer_ends_at_the_bound(raw: Raw, store: Path) -> None:
    raw.body, raw.times = b"a" * 2**20, 1000
    replies = complete([question(i) for i in range(30)], at(raw.url, concurrency=2), store)
    assert (
        all(r.text is None for r in replies)
        and f"more than {MAX_ANSWER_BYTES // 2**20} MB" in replies[0].error
    )
    assert "not tried" in replies[-1].error and raw.asked < 20  # such a server is not asked thirty times
    assert raw.sent < raw.asked * 8 * MAX_ANSWER_BYTES and store.stat().st_size < 10**5


@pytest.mark.parametrize("size", [MAX_ANSWER_BYTES // 2, MAX_ANSWER_BYTES - 400])
def test_an_answer_under_the_bound_is_kept(raw: Raw, store: Path, size: int) -> None:
    raw.body, raw.headers = gzip.compress(completion("a" * size, {}).encode()), {"Content-Encoding": "gzip"}
    assert complete([question("a")], at(raw.url), store)[0].text == "a" * size


@pytest.mark.parametrize(("packing", "why"), [("br", "encoded as 'br'"), ("gzip", "cannot be decoded")])
def test_what_cannot_be_unpacked_is_a_reason(raw: Raw, store: Path, packing: str, why: str) -> None:
    raw.body, raw.headers = b"no such thing", {"Content-Encoding": packing}
    reply = complete([question("a")], at(raw.url), store)[0]
    assert reply.text is None and why in reply.error


STRANGE = [
    "1e999",
    "-1e999",
    "-5",
    '"many"',
    '"1e999"',
    "null",
    "[]",
    "{}",
    "true",
    "1e300",
    "9" * 4000,
    "9" * 5000,
    "0.5",
]


@pytest.mark.parametrize("number", STRANGE)
def test_a_strange_bill_costs_no_answer_and_ends_no_batch(store: Path, number: str) -> None:
    def strange(body: dict[str, Any]) -> Scripted:
        text = completion("fine", body)
        if body["messages"][0]["content"] != "0":
            return Scripted(text)
        start = text.index('"usage"')
        return Scripted(
            text[:start] + f'"usage": {{"prompt_tokens": {number}, "completion_tokens": {number}}}}}'
        )

    with MockLLM(strange) as server:
        endpoint = at(server.url, price_in=2.0, price_out=3.0)
        replies = complete([question(i) for i in range(5)], endpoint, store)
        assert [r.text for r in replies] == ["fine"] * 5 and len(server.log) == 5
        assert complete([question(0)], endpoint, store)[0].text == "fine"
    assert 0 <= totals(replies, endpoint).money < 1 and spent(store, [endpoint])["mock"].answered == 5


@pytest.mark.parametrize("usage", ["[]", '"free"', "7", "1e999"])
def test_a_bill_of_another_form_costs_no_answer(store: Path, usage: str) -> None:
    text = completion("fine", {})
    with MockLLM(lambda _: Scripted(text[: text.index('"usage"')] + f'"usage": {usage}}}')) as server:
        assert complete([question("a")], at(server.url), store)[0].text == "fine"


def test_the_command_says_so_in_a_paragraph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with MockLLM() as server:
        run = run_with(tmp_path / "run", server.url)
        run.close()
        (run.path / "calls.sqlite").write_text("this is no database\n" * 100)
        monkeypatch.setattr(sys, "argv", ["looptool", "seed", str(run.path)])
        with pytest.raises(SystemExit):
            main()
        assert not server.log
    said = capsys.readouterr().err
    assert "looptool: " in said and "is damaged" in said and "Traceback" not in said
    assert (run.path / "calls.sqlite.damaged").exists()


# ---------------------------------------------------------------------- budget

TOOLS = [
    Tool(
        name=f"reserve_{noun}",
        description=f"Reserve a {noun}.",
        parameters={"type": "object", "properties": {"place": {"type": "string"}}},
    )
    for noun in ("desk", "boat", "kiln", "studio", "tractor", "costume")
]


def test_the_budget_is_kept_before_anything_is_asked(store: Path) -> None:
    with MockLLM(lambda _: "there") as server:
        endpoint = at(server.url, price_in=1e6)
        complete([question(i) for i in range(6)], endpoint, store, most=6)
        with pytest.raises(EndpointError) as error:
            complete([question(i) for i in range(9)], endpoint, store, "judge", most=8)
        for words in (
            "judge: 3 more calls to mock",
            "6 calls (",
            "spent)",
            "calls.most = 8",
            "None of them was made",
            "to 9 or more",
        ):
            assert words in str(error.value)
        assert len(server.log) == 6
        assert (
            len(complete([question(i) for i in range(6)], endpoint, store, most=0)) == 6
        )  # what is there costs nothing
        complete([question(i) for i in range(9)], endpoint, store, most=9)
        complete([question(7)], at(server.url, model="other"), store, most=1)  # each model has its own


def run_with(folder: Path, url: str, **changes: Any) -> Run:
    model = {"base_url": url, "model": "mock", "key_env": "NO_SUCH_KEY", "price_in": 1000.0, "retries": 0}
    return Run.create(folder, "cpu", **{"generator_llm": model, "seeds__source": "trees"} | changes)


def test_every_paid_role_keeps_the_budget(tmp_path: Path) -> None:
    samples = list(world.generate(5, 1, "train"))
    answer = Answer(text="?")
    probe = Probe(
        sample_id=samples[0].id,
        iteration=1,
        text="?",
        finish_reason="stop",
        perplexity=1.0,
        match=False,
        correct=False,
        state="failed",
        answer=answer,
    )
    verdict = Verdict(
        sample_id=samples[0].id, iteration=1, status="judged", verdict="PRED_WRONG", confidence=1.0
    )
    seed = ErrorSeed(samples[0], probe, verdict)
    with MockLLM() as server:
        run = run_with(tmp_path / "run", server.url, calls__most=1)
        endpoint, store = run.settings.generator_llm, run.path / "calls.sqlite"
        assert endpoint is not None
        agents = Agents(endpoint, endpoint, store, 1)
        cases = [Case(s, answer) for s in samples]
        roles: dict[str, Callable[[], Any]] = {
            "judge": lambda: judge.judge(cases, Context(run.settings, store, list, {})),
            "judge labels": lambda: check_labels(samples, endpoint, store, most=1),
            "write tools": lambda: write_tools(3, endpoint, store, 0, most=1),
            "plan dialogues": lambda: simulate(jobs(TOOLS, 3, 0, "train", Random(0)), agents, 1),
            "expand": lambda: expander.candidates([seed], [2], [Random(0)], Samples(samples), run),
            "seed": lambda: lt.seed(run),
        }
        for role, paid in roles.items():
            with pytest.raises(EndpointError, match=r"calls\.most = 1\."):
                paid()
            assert not server.log, role


# ----------------------------------------------------------- a model that fails


def own_tools(folder: Path, url: str, **changes: Any) -> Run:
    """The default run of somebody's own tools, whose dialogues a model writes."""
    write_json(folder.with_suffix(".json"), tool_schemas(TOOLS))
    model = {"base_url": url, "model": "mock", "key_env": "NO_SUCH_KEY", "price_in": 1000.0, "retries": 0}
    return init(
        folder,
        folder.with_suffix(".json"),
        "cpu",
        **{"generator_llm": model, "seeds__source": "trees"} | changes,
    )


def planned(body: dict[str, Any]) -> str:
    """Plans and answers in form, whose calls no rule lets pass."""
    wanted = set(body["response_format"]["json_schema"]["schema"]["properties"])
    if "goal" in wanted:
        return json.dumps({"user": "u", "goal": "g", "values": [], "turns": ["Reserve a desk."]})
    if "message" in wanted:
        return json.dumps({"message": "Reserve a desk.", "done": False})
    return json.dumps({"calls": [{"name": "reserve_desk", "arguments": {"place": 5}}], "reply": ""})


@pytest.mark.parametrize(
    "answer", [None, lambda _: "no JSON at all", planned], ids=["empty", "unreadable", "against the rules"]
)
def test_dialogues_that_give_nothing_stop_after_a_few(tmp_path: Path, answer: Any) -> None:
    with MockLLM(answer) as server:
        run = own_tools(tmp_path / "run", server.url)
        with pytest.raises(RunError) as error:
            lt.seed(run)
        assert len(server.log) <= 120
        for words in (
            "gave 0 usable samples",
            f"{len(server.log)} calls (",
            " spent) of mock",
            "generator_llm",
        ):
            assert words in str(error.value)


def test_tools_that_are_none_stop_after_one_round(tmp_path: Path) -> None:
    with MockLLM() as server:
        run = run_with(tmp_path / "run", server.url)
        with pytest.raises(RunError) as error:
            lt.seed(run)
        assert len(server.log) == run.settings.synthesis.count
        for words in (
            "written tools 0 passed",
            f"{len(server.log)} calls (",
            " spent) of mock",
            "written_tools.parquet",
        ):
            assert words in str(error.value)
