"""The engine `vllm`, really run: `make test-vllm` builds the environment that it needs."""

from __future__ import annotations

import importlib.util
import inspect
import os
import shutil
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

if importlib.util.find_spec("vllm") is None:
    pytest.skip(
        "vLLM is not installed here; make test-vllm builds an environment for these tests",
        allow_module_level=True,
    )

import torch  # noqa: E402
from damaged_adapters import DAMAGES, REFUSED  # noqa: E402

from looptool_kit.config import LoraSettings  # noqa: E402
from looptool_kit.core.endpoint import Endpoint  # noqa: E402
from looptool_kit.core.errors import RunError  # noqa: E402
from looptool_kit.core.samples import Label, Message, Sample, Samples  # noqa: E402
from looptool_kit.core.toolcalls import render_answer  # noqa: E402
from looptool_kit.policy import models  # noqa: E402
from looptool_kit.policy.engines import Completion, Sampling  # noqa: E402
from looptool_kit.policy.engines.prompts import Begun  # noqa: E402
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402
from looptool_kit.policy.engines.vllm import RANKS, VllmEngine  # noqa: E402
from looptool_kit.policy.policy import (  # noqa: E402
    Policy,
    base_policy,
    close_engines,
    load_base,
    open_engine,
)
from looptool_kit.stages.train.common import lora_policy  # noqa: E402
from looptool_kit.stages.train.stage import grpo_order  # noqa: E402

BATCH, NEW, TIE = 8, 16, 2e-3


def policy(adapter: Path) -> Policy:
    return Policy(
        name="D1", iteration=1, model="embedded", adapter=str(adapter), key="made here", engine="vllm"
    )


# -------------------------------------------------------------------- answers


def test_greedy_answers_and_perplexities_are_those_of_transformers(
    engine: VllmEngine, plain: TransformersEngine, samples: Samples, check_same: Callable[..., None]
) -> None:
    assert [engine.render(s) for s in samples] == [plain.render(s) for s in samples]
    assert engine.plan(samples) == plain.plan(samples) and (engine.context, engine.ends) == (
        plain.context,
        plain.ends,
    )
    kept: list[list[int]] = []
    ours = engine.generate(samples, Sampling(NEW), lambda batch, _: kept.append(batch))
    assert kept == engine.plan(samples)
    check_same(plain, samples, ours, plain.generate(samples, Sampling(NEW)))
    once, again = engine.generate(samples, Sampling(NEW, n=2))[0]
    assert once == again and once.token_ids == ours[0][0].token_ids
    assert once.logprobs == pytest.approx(
        ours[0][0].logprobs, abs=TIE
    )  # the prompt's beginning came from the cache this time


def test_short_answers_end_with_the_end_token(engine: VllmEngine, plain: TransformersEngine) -> None:
    item = Sample(
        tools=(),
        messages=(Message(role="user", content="Answer with one word: the capital of France?"),),
        label=Label(),
    )
    [[one]], [[other]] = engine.generate([item], Sampling(40)), plain.generate([item], Sampling(40))
    assert one.finish_reason == other.finish_reason == "stop" and one.token_ids[-1] in engine.ends
    assert one.text == other.text and "<|im_end|>" not in one.text and len(one.logprobs) == len(one.token_ids)


def test_a_given_beginning_is_continued_by_its_tokens(engine: VllmEngine, samples: Samples) -> None:
    whole = [(s, one) for s, [one] in zip(samples, engine.generate(samples, Sampling(NEW)), strict=True)]
    long = [(s, one) for s, one in whole if len(one.token_ids) > 4]
    rests = engine.generate([Begun(s, one.token_ids[:4]) for s, one in long], Sampling(NEW - 4))
    same = [rest.token_ids == one.token_ids[4:] for (_, one), [rest] in zip(long, rests, strict=True)]
    assert len(same) > 2 and sum(same) >= len(same) - 1, "but for a tie"


def test_scores_are_those_of_transformers(
    engine: VllmEngine, plain: TransformersEngine, samples: Samples
) -> None:
    answers = [render_answer(s.label) for s in samples]
    for a, b in zip(engine.score(samples, answers), plain.score(samples, answers), strict=True):
        assert a == pytest.approx(b, abs=TIE)


def test_samples_differ_and_carry_the_models_own_logprobs(
    engine: VllmEngine, plain: TransformersEngine, samples: Samples, logprobs: Callable[..., torch.Tensor]
) -> None:
    [made] = engine.generate(
        samples[:1], Sampling(12, temperature=2.0, n=4)
    )  # the embedded model is sure of itself
    assert len(made) == 4 and len({one.token_ids for one in made}) > 1
    for one in made:
        line = logprobs(plain, samples[0], one.token_ids)
        assert one.logprobs == pytest.approx(
            [float(line[k, token]) for k, token in enumerate(one.token_ids)], abs=TIE
        )


def test_shared_beginnings_come_from_the_cache(engine: VllmEngine, samples: Samples) -> None:
    from vllm import SamplingParams, TokensPrompt

    engine.generate(samples[:1], Sampling(2))
    ids = engine.tokenizer(engine.render(samples[0]), add_special_tokens=False).input_ids
    [again] = engine.llm.generate(
        TokensPrompt(prompt_token_ids=ids), SamplingParams(max_tokens=1), use_tqdm=False
    )
    assert again.num_cached_tokens >= len(ids) - 64  # all whole blocks but the last


def test_what_does_not_fit_is_said_before_work_starts(engine: VllmEngine, samples: Samples) -> None:
    long = Sample(tools=(), messages=(Message(role="user", content="word " * engine.context),), label=Label())
    for call in (
        lambda: engine.plan([samples[0], long]),
        lambda: engine.generate([samples[0], long], Sampling(2)),
    ):
        with pytest.raises(ValueError, match=rf"{long.id} \(row 1\) has \d+ tokens and leaves no room"):
            call()
    with pytest.raises(ValueError, match=r"The answer to .*this engine scores \d+ of it"):
        engine.score(samples[:1], ["word " * engine.context])
    assert engine.generate([], Sampling()) == [] and engine.plan([]) == [] and engine.score([], []) == []


# ------------------------------------------------------------------- adapters


def test_adapters_are_swapped_without_a_restart(
    engine: VllmEngine, plain: TransformersEngine, adapters: list[Path], check_same: Callable[..., None]
) -> None:
    # Short ones: the CPU build's LoRA copies the adapter's weights for each token.
    asks = ("Say hello.", "What is 17 plus 25?", "Name three colours.", "Who wrote Hamlet?")
    few = Samples(
        Sample(tools=(), messages=(Message(role="user", content=ask),), label=Label()) for ask in asks
    )
    base = engine.generate(few, Sampling(NEW))
    for adapter in adapters:
        assert open_engine(policy(adapter), BATCH) is engine
        merged = TransformersEngine.load(models.find_model().path, adapter, "float32", BATCH)
        ours = engine.generate(few, Sampling(NEW))
        check_same(merged, few, ours, merged.generate(few, Sampling(NEW)))
        assert any(a[0].token_ids != b[0].token_ids for a, b in zip(ours, base, strict=True))
        rows = few[:2], ["Yes."] * 2
        for a, b, without in zip(engine.score(*rows), merged.score(*rows), plain.score(*rows), strict=True):
            assert a == pytest.approx(b, abs=TIE)
            assert max(abs(x - y) for x, y in zip(a, without, strict=True)) > 10 * TIE
    assert open_engine(base_policy("embedded", "vllm"), BATCH) is engine
    check_same(plain, few, engine.generate(few, Sampling(NEW)), base)


def test_new_weights_in_the_same_folder_are_seen(
    engine: VllmEngine, adapters: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "adapter"
    short = [Sample(tools=(), messages=(Message(role="user", content="Say hello."),), label=Label())]
    texts = []
    for at, adapter in enumerate(adapters):
        shutil.copytree(adapter, folder, dirs_exist_ok=True)
        os.utime(folder / "adapter_model.safetensors", (at, at))
        engine.use(folder)
        texts.append(engine.generate(short, Sampling(8))[0][0].token_ids)
        engine.use(adapter)
        assert engine.generate(short, Sampling(8))[0][0].token_ids == texts[-1]
    assert texts[0] != texts[1]


def test_grpo_takes_its_completions_from_vllm_with_the_adapter_of_each_step(
    engine: VllmEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logprobs: Callable[..., torch.Tensor]
) -> None:
    from looptool_kit.config import load_preset
    from looptool_kit.run.folder import Run
    from looptool_kit.stages.train import reward
    from looptool_kit.stages.train.stage import train

    made: list[list[Completion]] = []
    generate = VllmEngine.generate
    monkeypatch.setattr(VllmEngine, "generate", lambda *args: made.append(generate(*args)) or made[-1])
    rewards = iter([1.0, 0.0] * 4)
    # So that there is something to learn.
    monkeypatch.setattr(reward, "reward", lambda *_: reward.Reward(next(rewards), ""))
    asks = [
        Sample(tools=(), messages=(Message(role="user", content=ask),), label=Label())
        for ask in ("Say hello.", "Name three colours.")
    ]
    settings = {
        "engine": "vllm",
        "sft__epochs": 0,
        "grpo__steps_first": 2,
        "grpo__prompts": 2,
        "grpo__group": 2,
        "grpo__max_new_tokens": 6,
    }
    assert load_preset("cpu-quick").trainer == "trl"
    run = Run.create(
        tmp_path / "run", preset="cpu-quick", probe__batch=BATCH, grpo__learning_rate=1e-2, **settings
    )
    Samples(asks).write(run.folder(1) / "samples.parquet")
    train(run, Samples(asks), iteration=1)
    assert len(made) == 2 and all(len(group) == 2 for step in made for group in step)
    # What the second step was written with: the adapter as the first step left it.
    second = TransformersEngine.load(
        models.find_model().path, run.folder(1) / "policy" / "rollout-adapter", "float32", BATCH
    )
    base = TransformersEngine(load_base("embedded")[0], second.tokenizer)
    off = 0.0
    for item, group in zip(grpo_order(Samples(asks), run.settings.seed * 1000 + 1), made[1], strict=True):
        for one in group:
            by_policy, by_base = (logprobs(e, item, one.token_ids) for e in (second, base))
            own = [float(by_policy[k, token]) for k, token in enumerate(one.token_ids)]
            assert one.logprobs == pytest.approx(own, abs=TIE)
            off = max(off, float((by_policy - by_base).abs().max()))
    assert off > 10 * TIE
    open_engine(base_policy("embedded", "vllm"), BATCH)


def test_what_is_no_adapter_or_too_large_is_refused(
    engine: VllmEngine, adapters: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"not a LoRA adapter.*adapter_config\.json"):
        engine.use(tmp_path)
    large = lora_policy(load_base("embedded")[0], LoraSettings(rank=64, alpha=16), None, 0)
    large.save_pretrained(tmp_path / "large")
    with pytest.raises(ValueError, match=r"LoRA rank 64.*opened for 32.*rank=64"):
        engine.use(tmp_path / "large")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_adapter_is_refused_before_vllm_reads_it(
    engine: VllmEngine, adapters: list[Path], tmp_path: Path, damage: str
) -> None:
    folder = shutil.copytree(adapters[0], tmp_path / "adapter")
    DAMAGES[damage](folder)
    before = engine._adapter
    with pytest.raises(RunError, match=REFUSED):
        open_engine(policy(folder), BATCH)
    assert engine._adapter is before


# ------------------------------------------- what cannot run without a GPU


def accepts(call: Any, *args: Any, **kwargs: Any) -> None:
    """Raises TypeError unless the installed function can be called so."""
    inspect.signature(call).bind(*args, **kwargs)


def test_sleeping_fits_the_installed_vllm() -> None:
    from vllm import LLM
    from vllm.engine.arg_utils import EngineArgs

    accepts(LLM.sleep, None, level=1)
    accepts(LLM.wake_up, None)
    assert "enable_sleep_mode" in inspect.signature(EngineArgs).parameters
    with pytest.raises(TypeError):
        accepts(LLM.sleep, None, depth=1)


def test_ranks_are_those_that_vllm_can_be_opened_for() -> None:
    from vllm.config.lora import MaxLoRARanks

    assert set(typing.get_args(MaxLoRARanks)) == set(RANKS)


def test_what_a_server_is_asked_fits_the_installed_protocol(
    monkeypatch: pytest.MonkeyPatch, samples: Samples
) -> None:
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest, CompletionResponseChoice

    from looptool_kit.policy.engines.served import ServedEngine

    asked = []

    def ask(self: ServedEngine, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        if body is None:
            return {"data": [{"id": "mine", "max_model_len": 8192}]}
        asked.append(body)
        reply = {"index": 0, "token_ids": [1], "logprobs": {"token_logprobs": [-1.0]}}
        if "prompt_logprobs" in body:
            reply["prompt_logprobs"] = [{str(t): {"logprob": -1.0}} for t in body["prompt"][0]]
        return {"choices": [reply]}

    monkeypatch.setattr(ServedEngine, "_ask", ask)
    served = ServedEngine(Endpoint(base_url="http://localhost:1/v1", model="mine"), models.find_model().path)
    served.generate(samples[:1], Sampling(4, temperature=0.5))
    served.score(samples[:1], ["Yes."])
    for body in asked:
        assert set(body) <= set(CompletionRequest.model_fields)
        assert CompletionRequest.model_validate(body).prompt == [list(p) for p in body["prompt"]]
    assert {"index", "token_ids", "logprobs", "prompt_logprobs"} <= set(CompletionResponseChoice.model_fields)


def test_where_the_platform_cannot_sleep_the_engine_goes_on(engine: VllmEngine, samples: Samples) -> None:
    from vllm.platforms import current_platform

    before = engine.generate(samples[:1], Sampling(8))
    assert engine.sleep() == current_platform.is_sleep_mode_available()
    assert engine.generate(samples[:1], Sampling(8))[0][0].token_ids == before[0][0].token_ids


# ------------------------------------------------------------- last: it is closed


def test_an_engine_closed_for_training_is_opened_again(engine: VllmEngine, samples: Samples) -> None:
    from vllm.platforms import current_platform

    before = engine.generate(samples[:2], Sampling(8))
    close_engines()
    threads = torch.get_num_threads()
    torch.set_num_threads(threads)  # vLLM's CPU build leaves a dummy in its place unless it is put back
    assert torch.set_num_threads.__module__ != "vllm.v1.worker.cpu_worker"
    again = open_engine(base_policy("embedded", "vllm"), BATCH)
    assert (again is engine) == current_platform.is_sleep_mode_available()
    assert [c[0].token_ids for c in again.generate(samples[:2], Sampling(8))] == [
        c[0].token_ids for c in before
    ]
    close_engines()
