"""The engine `served` with vLLM's own server, really run, in float32."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import typing
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip(
        "vLLM is not installed here; make test-vllm builds an environment for these tests",
        allow_module_level=True,
    )


from damaged_adapters import DAMAGES, REFUSED  # noqa: E402

import looptool_kit  # noqa: E402
from looptool_kit.config import Settings, load_preset  # noqa: E402
from looptool_kit.core.endpoint import Endpoint  # noqa: E402
from looptool_kit.core.errors import RunError  # noqa: E402
from looptool_kit.core.samples import Frozen, Label, Message, Sample, Samples  # noqa: E402
from looptool_kit.llm.client import complete  # noqa: E402
from looptool_kit.llm.messages import Request  # noqa: E402
from looptool_kit.llm.structured import Failed, Prompt, ask, read  # noqa: E402
from looptool_kit.policy import models  # noqa: E402
from looptool_kit.policy.engines import Sampling  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.policy.engines.vllm import MODULES  # noqa: E402
from looptool_kit.policy.policy import Policy, open_engine  # noqa: E402
from looptool_kit.stages.verify.llm import Opinion  # noqa: E402
from looptool_kit.studies import judge_check  # noqa: E402

BATCH, TIE = 8, 2e-3
START = 1500
"""Seconds for the server to start: its three processes import vLLM one after the other, a minute on a quiet
machine and many times that on a busy one.
"""
pytestmark = pytest.mark.timeout(2 * START)
QUESTIONS = 4
"""To the judge: of two samples one error on either side. A question is asked in both orders, and those of the
other side are the same two calls, so there are four, of a thousand tokens each.
"""


class Choice(Frozen):
    """A form that a server can be held to in a few tokens."""

    verdict: typing.Literal["right", "wrong"]
    sure: bool


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """vLLM's own server on the embedded model, started as docs/engines.md says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    template = Path(looptool_kit.__file__).parent / "core" / "chat_template.jinja"
    words = [
        *("--model", models.find_model().path, "--served-model-name", "policy"),
        *("--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--block-size", 32),
        *("--enforce-eager", "--max-model-len", 2048, "--max-num-seqs", BATCH),
        *("--enable-lora", "--max-lora-rank", 32, "--lora-target-modules", *MODULES),
        *("--chat-template", template),
        *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
    ]
    cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
    environment = {
        "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": cores,
    }
    environment |= {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
    }  # the engine in this process has set the latter to 0
    log = tmp_path_factory.mktemp("server") / "log"
    with log.open("w") as out:
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *map(str, words)]
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=out, stderr=out, start_new_session=True
        )
    try:
        until = time.monotonic() + START
        while True:
            assert process.poll() is None and time.monotonic() < until, log.read_text()[-3000:]
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).close()
                break
            except OSError:
                time.sleep(1)
        yield Endpoint(base_url=f"http://127.0.0.1:{port}/v1", model="policy", key_env="NO_KEY")
    finally:
        with suppress(ProcessLookupError):  # it has ended by itself
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:  # a server that failed to start may hang
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_a_server_answers_scores_and_swaps_adapters_as_transformers(
    server: Endpoint,
    plain: TransformersEngine,
    samples: Samples,
    adapters: list[Path],
    check_same: Callable[..., None],
    tmp_path: Path,
) -> None:
    # Short prompts for adapters: the CPU build's LoRA takes long over each token of a prompt.
    short = Samples(
        Sample(tools=(), messages=(Message(role="user", content=ask),), label=Label())
        for ask in ("Hello", "How are you?")
    )
    few = [samples[0], *short]

    def served(adapter: Path | None) -> Any:
        folder = str(adapter) if adapter else None
        return open_engine(
            Policy(name="D1", iteration=1, model="embedded", adapter=folder, engine="served", server=server),
            BATCH,
        )

    engine = served(None)
    base = engine.generate(few, Sampling(8))
    check_same(plain, Samples(few), base, plain.generate(few, Sampling(8)))
    for a, b in zip(engine.score(few, ["Yes."] * 3), plain.score(few, ["Yes."] * 3), strict=True):
        assert a == pytest.approx(b, abs=TIE)
    for adapter in adapters:
        with_adapter = TransformersEngine.load(
            models.find_model().path, adapter=adapter, dtype="float32", batch_size=BATCH
        )
        assert served(adapter) is engine
        answers = engine.generate(short, Sampling(4))
        assert [c[0].token_ids for c in answers] != [c[0].token_ids[:4] for c in base[1:]]
        check_same(with_adapter, short, answers, with_adapter.generate(short, Sampling(4)))
    assert [c[0].token_ids for c in served(None).generate(few, Sampling(8))] == [c[0].token_ids for c in base]
    for damage in ("weights of other layers", "no numbers", "another rank"):
        folder = shutil.copytree(adapters[0], tmp_path / damage)
        DAMAGES[damage](folder)
        with pytest.raises(RunError, match=REFUSED):
            served(folder)


def test_a_server_keeps_a_generator_to_its_form(server: Endpoint, tmp_path: Path) -> None:
    """The embedded model never writes JSON of this form by itself; the server makes it."""
    prompts = [
        Prompt("You are a careful judge.", f"Is {n} even? Answer right or wrong.", tools=()) for n in range(4)
    ]
    answers = ask(Choice, prompts, server, tmp_path / "calls.sqlite", "ask", max_tokens=64)
    assert all(isinstance(a, Choice) for a in answers), answers
    with closing(sqlite3.connect(tmp_path / "calls.sqlite")) as db:
        said = [
            json.loads(raw)["choices"][0]["message"]["content"]
            for (raw,) in db.execute("SELECT answer FROM calls")
        ]
    assert len(said) == 4 and all(list(json.loads(s)) == list(Choice.model_fields) for s in said)
    [free] = complete(
        [Request([{"role": "user", "content": "Is 3 even? Answer right or wrong."}], max_tokens=24)],
        server,
        tmp_path / "free.sqlite",
    )
    assert free.text is None or not free.text.lstrip().startswith("{")


def _answered(server: Endpoint) -> float:
    """The requests that the server has finished so far, by its own count."""
    with urllib.request.urlopen(server.base_url.removesuffix("/v1") + "/metrics", timeout=30) as page:
        lines = page.read().decode().splitlines()
    counts = [line for line in lines if re.match(r"vllm:request_success_total\b", line)]
    assert counts
    return sum(float(line.rpartition(" ")[2]) for line in counts)


def _judging(server: Endpoint, judge: str) -> Settings:
    where = server.model_dump(exclude_none=True) | {"retries": 0, "timeout": START}
    return load_preset("cpu-quick", verify__judge=judge, judge_llm=where, jury__max_tokens=128)


def test_a_real_model_judges_with_and_without_the_evidence_and_is_asked_once(
    server: Endpoint, samples: Samples, tmp_path: Path
) -> None:
    """The plumbing with real tokens; what the embedded model is worth as a judge the card says."""
    right = judge_check.right_samples(samples, {})[:2]
    questions = judge_check.Trials(t for s in right for t in list(judge_check.trials([s]))[: QUESTIONS // 2])
    assert len(questions) == QUESTIONS
    before = _answered(server)
    said, facts = judge_check.ask(right, questions, _judging(server, "llm"), tmp_path, repeats=1)
    assert _answered(server) - before == QUESTIONS
    with closing(sqlite3.connect(tmp_path / "calls-1.sqlite")) as db:
        stored = [json.loads(raw) for (raw,) in db.execute("SELECT answer FROM calls")]
    [told] = facts["repeat_1"]["judges"]
    usage = [answer["usage"] for answer in stored]
    cut = [answer["choices"][0]["finish_reason"] != "stop" for answer in stored]
    read_as = [read(Opinion, answer["choices"][0]["message"]["content"]) for answer in stored]
    # The form is the server's to keep; an answer that is cut at the limit is not one.
    assert [isinstance(r, Failed) for r in read_as] == cut and not all(cut), read_as
    # A call that answers two questions was paid for once.
    assert told["tokens_in"] == sum(u["prompt_tokens"] for u in usage) > 500 * len(stored)
    assert told["tokens_out"] == sum(u["completion_tokens"] for u in usage) > 0
    assert told["answered"] + told["failed"] == QUESTIONS == len(stored)
    unjudged = sum(t.verdict == "unjudged" for t in said)
    assert told["votes"] == QUESTIONS and told["votes_without_verdict"] <= unjudged

    again, _ = judge_check.ask(right, questions, _judging(server, "llm"), tmp_path, repeats=1)
    assert list(again) == list(said)
    both, facts = judge_check.ask(right, questions, _judging(server, "combined"), tmp_path, repeats=1)
    assert _answered(server) - before == QUESTIONS, "the store answers"
    assert list(facts["merits"]["models"]) == ["policy"] and all(t.for_label is not None for t in both)
    card = judge_check.text(both, facts)
    assert "of the evidence" in card and f"{QUESTIONS} calls" in card
