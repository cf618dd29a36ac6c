"""The transformers engine against transformers' own `generate` and plain forward passes, on tiny random
models and on the embedded one.
"""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import KINDS, tiny_model, tiny_tokenizer  # noqa: E402

from looptool_kit.core.samples import Label, Message, Sample, Tool  # noqa: E402
from looptool_kit.core.toolcalls import render_prompt  # noqa: E402
from looptool_kit.policy.engines import Completion, Sampling  # noqa: E402
from looptool_kit.policy.engines.prefix_tree import group, plant, shared_length, similar  # noqa: E402
from looptool_kit.policy.engines.prompts import Begun
from looptool_kit.policy.engines.transformers import TransformersEngine  # noqa: E402

ROUNDING = 2e-4
"""Between two float32 log-probabilities of unlikely tokens, which sampling draws: transformers' own are up to
1.1e-4 away from float64's.
"""


@pytest.fixture(scope="module", params=KINDS)
def engine(request: pytest.FixtureRequest) -> TransformersEngine:
    return TransformersEngine(tiny_model(request.param), tiny_tokenizer(), batch_size=8)


def some_chats(count: int = 23, seed: int = 0) -> list[Sample]:
    """Chats over three tool lists, of very different lengths, some with dialogue, one without tools, one
    twice.
    """
    rng = random.Random(seed)
    lists = [
        tuple(Tool(name=f"{w}_{i}", description=w * rng.randint(1, 30)) for i in range(rng.randint(1, 3)))
        for w in ("book", "find", "send")
    ]
    chats = []
    for i in range(count - 2):
        messages = [
            Message(
                role="user",
                content="x" * rng.randint(0, 5)
                + " ".join(str(rng.random()) for _ in range(rng.choice([0, 1, 2, 9]))),
            )
        ]
        if rng.random() < 0.3:
            messages += [
                Message(role="assistant", content="Yes?"),
                Message(role="user", content=f"Take {i}."),
            ]
        chats.append(Sample(tools=rng.choice(lists), messages=tuple(messages), label=Label()))
    bare = Sample(tools=(), messages=(Message(role="user", content="hello"),), label=Label())
    return [*chats, bare, chats[0]]


def plain_generate(engine: TransformersEngine, chats: list[Sample], new: int) -> list[list[int]]:
    """Greedy tokens by transformers' own `generate`, one chat at a time."""
    import torch

    out = []
    for item in chats:
        ids = torch.tensor(
            [engine.tokenizer(render_prompt(item.tools, item.messages), add_special_tokens=False).input_ids]
        )
        with torch.no_grad():
            made = engine.model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, do_sample=False
            )
        out.append(made[0, ids.shape[1] :].tolist())
    return out


def plain_logprobs(engine: TransformersEngine, item: Sample, tail: list[int]) -> list[float]:
    """Log-probabilities of `tail` after the prompt, by one ordinary forward pass."""
    import torch

    prompt = engine.tokenizer(render_prompt(item.tools, item.messages), add_special_tokens=False).input_ids
    with torch.no_grad():
        logits = engine.model(torch.tensor([prompt + tail])).logits[0].float()
    return [logits[len(prompt) - 1 + k].log_softmax(-1)[token].item() for k, token in enumerate(tail)]


def check_greedy(engine: TransformersEngine, chats: list[Sample], new: int) -> list[list[Completion]]:
    """Assert that the engine's greedy tokens and log-probabilities are those of plain transformers."""
    got = engine.generate(chats, Sampling(max_new_tokens=new))
    for item, [one], want in zip(chats, got, plain_generate(engine, chats, new), strict=True):
        assert list(one.token_ids) == want
        assert one.finish_reason == ("stop" if want[-1] in engine.ends else "length")
        assert len(one.token_ids) == len(one.logprobs) == len(one.tokens)
        assert one.logprobs == pytest.approx(plain_logprobs(engine, item, want), abs=1e-4)
    return got


def test_greedy_is_that_of_plain_generate(engine: TransformersEngine) -> None:
    got = check_greedy(engine, some_chats(), 40)
    assert len({len(one.token_ids) for [one] in got}) > 2, (
        "the test wants rows that retire at different times"
    )


def test_a_given_beginning_is_continued_by_its_tokens(engine: TransformersEngine) -> None:
    chats = some_chats(8)
    greedy, sampled = Sampling(max_new_tokens=14), Sampling(max_new_tokens=5, temperature=1.0, n=2, seed=3)
    whole = engine.generate(chats, greedy)
    begun = [
        Begun(item, one.token_ids[: i % 7]) for i, (item, [one]) in enumerate(zip(chats, whole, strict=True))
    ]
    for item, [one], [rest] in zip(begun, whole, engine.generate(begun, greedy), strict=True):
        want = one.token_ids[len(item.ids) :]
        assert rest.token_ids[: len(want)] == want and rest.finish_reason in ("stop", "length")
        assert rest.logprobs[: len(want)] == pytest.approx(one.logprobs[len(item.ids) :], abs=1e-4)
    nothing = [Begun(item, ()) for item in chats]
    assert engine.generate(nothing, sampled) == engine.generate(chats, sampled)
    assert engine.plan(nothing) == engine.plan(chats)
    with pytest.raises(ValueError, match="leaves no room"):
        engine.plan([Begun(chats[0], (1,) * engine.context)])


def test_decoding_beyond_one_growth_of_the_buffers(engine: TransformersEngine) -> None:
    check_greedy(engine, some_chats(5), 150)


def test_long_prompts_in_several_chunks(engine: TransformersEngine) -> None:
    chats = some_chats(4)
    long = Sample(
        tools=chats[0].tools, messages=(Message(role="user", content="again and " * 130),), label=Label()
    )
    longer = Sample(
        tools=chats[0].tools,
        messages=(Message(role="user", content="again and " * 130 + "more"),),
        label=Label(),
    )
    check_greedy(engine, [*chats, longer, long], 12)


def test_planned_batches_give_what_all_together_gives(engine: TransformersEngine) -> None:
    chats = some_chats()
    for sampling in (Sampling(max_new_tokens=20), Sampling(max_new_tokens=20, temperature=1.0, n=3, seed=4)):
        seen: list[tuple[list[int], list[list[Completion]]]] = []
        together = engine.generate(chats, sampling, lambda batch, made, seen=seen: seen.append((batch, made)))  # type: ignore[misc]
        plan = engine.plan(chats, sampling.n)
        assert [batch for batch, _ in seen] == plan and sorted(i for batch in plan for i in batch) == list(
            range(len(chats))
        )
        sizes = [len(batch) for batch in plan]
        assert max(sizes) - min(sizes) <= 1
        for batch, made in seen:
            assert made == [together[i] for i in batch]
            assert engine.generate([chats[i] for i in batch], sampling) == made


def test_samples_do_not_depend_on_company(engine: TransformersEngine) -> None:
    chats = some_chats()
    sampling = Sampling(max_new_tokens=25, temperature=1.0, n=4, seed=1)
    together = engine.generate(chats, sampling)
    for i in (0, 7, len(chats) - 2):
        [alone] = engine.generate([chats[i]], sampling)
        assert [c.token_ids for c in alone] == [c.token_ids for c in together[i]]
        assert len({c.token_ids for c in alone}) > 1
    assert [c.token_ids for c in engine.generate([chats[0]], sampling._replace(seed=2))[0]] != [
        c.token_ids for c in together[0]
    ]
    for completion in together[0]:
        assert completion.logprobs == pytest.approx(
            plain_logprobs(engine, chats[0], list(completion.token_ids)), abs=ROUNDING
        )


def test_samples_follow_the_distribution(engine: TransformersEngine) -> None:
    item = some_chats()[0]
    engine = TransformersEngine(engine.model, engine.tokenizer, batch_size=2000)
    prompt = engine.tokenizer(render_prompt(item.tools, item.messages), add_special_tokens=False).input_ids
    import torch

    for temperature in (0.7, 1.5):
        with torch.no_grad():
            want = (engine.model(torch.tensor([prompt])).logits[0, -1] / temperature).softmax(-1)
        [made] = engine.generate([item], Sampling(max_new_tokens=1, temperature=temperature, n=2000))
        counts = torch.bincount(torch.tensor([c.token_ids[0] for c in made]), minlength=258) / len(made)
        assert (
            (counts - want).abs().sum().item() / 2 < 0.12
        )  # total variation; about 0.05 by chance here, 0.2 at the wrong temperature


def test_score_equals_a_plain_forward_pass(engine: TransformersEngine) -> None:
    chats = some_chats()
    answers = [f"answer {i % 5} " * (i % 4) for i in range(len(chats))]
    chats, answers = [*chats, chats[0], chats[0], chats[0]], [*answers, answers[0], "another", ""]
    for item, answer, got in zip(chats, answers, engine.score(chats, answers), strict=True):
        tail = [*engine.tokenizer(answer, add_special_tokens=False).input_ids, engine.end]
        assert list(got) == pytest.approx(plain_logprobs(engine, item, tail), abs=1e-4)


def test_a_prompt_that_fills_the_context_is_named_and_nothing_runs() -> None:
    engine = TransformersEngine(tiny_model("llama", context=256), tiny_tokenizer())
    long = Sample(tools=(), messages=(Message(role="user", content="x" * 400),), label=Label())
    short = Sample(tools=(), messages=(Message(role="user", content="hi"),), label=Label())
    for call in (
        lambda: engine.plan([short, long]),
        lambda: engine.generate([short, long], Sampling()),
        lambda: engine.score([short, long], ["", ""]),
    ):
        with pytest.raises(ValueError, match=rf"{long.id} \(row 1\).*256"):
            call()
    with pytest.raises(ValueError, match=short.id):
        engine.score([short], ["y" * 300])
    nearly = Sample(tools=(), messages=(Message(role="user", content="x" * 200),), label=Label())
    [[one]] = engine.generate([nearly], Sampling(max_new_tokens=500))
    assert len(one.token_ids) + len(engine.tokenizer(engine.render(nearly)).input_ids) <= 256


def test_out_of_memory_halves_the_batch_with_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = TransformersEngine(tiny_model("llama"), tiny_tokenizer(), batch_size=16)
    chats = some_chats()
    want = engine.generate(chats, Sampling(max_new_tokens=10))
    sizes: list[int] = []
    real = engine._decode

    def tight(rows: Any, sampling: Sampling) -> list[Completion]:
        sizes.append(len(rows))
        if len(rows) > 5:
            raise RuntimeError(
                "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried to"
                " allocate 9 bytes."
            )
        return real(rows, sampling)

    monkeypatch.setattr(engine, "_decode", tight)
    batches: list[list[int]] = []
    with pytest.warns(RuntimeWarning) as warned:
        got = engine.generate(chats, Sampling(max_new_tokens=10), lambda batch, made: batches.append(batch))
    assert [c.token_ids for [c] in got] == [c.token_ids for [c] in want]
    assert len(warned) == 1 and batches == engine.plan(chats)
    assert sizes[:3] == [12, 6, 3] and all(size <= 3 for size in sizes[2:])

    def broken(rows: Any, sampling: Sampling) -> list[Completion]:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(engine, "_decode", broken)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        engine.generate(chats, Sampling())


def test_a_live_training_model_is_used_and_left_as_it_was() -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(
        tiny_model("llama"),
        LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.5, init_lora_weights=False),
    )
    model.train()
    engine = TransformersEngine(model, tiny_tokenizer())
    chats = some_chats(6)
    unmerged = engine.generate(chats, Sampling(max_new_tokens=12))
    model.merge_adapter()
    merged = engine.generate(chats, Sampling(max_new_tokens=12))
    model.unmerge_adapter()
    assert [c.token_ids for [c] in merged] == [c.token_ids for [c] in unmerged]
    assert all(module.training for module in model.modules())
    ids = torch.tensor([[1, 2, 3]])
    model(
        input_ids=ids, labels=ids
    ).loss.backward()  # weights are no inference tensors, attention is the model's own again
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize(
    "kind, layers, reason",
    [
        ("bloom", None, "attention cannot be replaced"),
        ("gemma2", None, "softcap"),
        ("lfm2", ["conv", "full_attention"], "layers of conv"),
        ("llama4_text", ["chunked_attention", "full_attention"], "layers of chunked_attention"),
        ("recurrent_gemma", None, "carry a state"),
    ],
)
def test_a_model_whose_prompts_cannot_share_beginnings_is_refused_at_once(
    kind: str, layers: list[str] | None, reason: str
) -> None:
    """An engine that ran it would answer, and answer wrongly."""
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes: dict[str, Any] = dict(
        vocab_size=258,
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    model = AutoModelForCausalLM.from_config(
        AutoConfig.for_model(kind, **sizes, **({"layer_types": layers} if layers else {}))
    )
    with pytest.raises(ValueError, match=reason):
        TransformersEngine(model, tiny_tokenizer())


def test_prompts_that_share_nothing_at_all() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = (  # of the user's, so that not even the first token is common
        "{{ messages[0].content }}"
    )
    engine = TransformersEngine(tiny_model("llama"), tokenizer)
    chats = [
        Sample(tools=(), messages=(Message(role="user", content=text),), label=Label())
        for text in ("abc", "xyz", "hello")
    ]
    alone = [engine.generate([item], Sampling(max_new_tokens=6))[0][0].token_ids for item in chats]
    assert [one.token_ids for [one] in engine.generate(chats, Sampling(max_new_tokens=6))] == alone


def test_nothing_in_nothing_out(engine: TransformersEngine) -> None:
    assert engine.generate([], Sampling()) == [] and engine.plan([]) == [] and engine.score([], []) == []
    with pytest.raises(ValueError, match="1 chats and 0 answers"):
        engine.score(some_chats(3)[:1], [])


def test_the_tree_holds_each_distinct_token_once() -> None:
    rng = random.Random(1)
    for _ in range(50):
        sequences = sorted(
            tuple(rng.choice((0, 1)) for _ in range(rng.randint(1, 12))) for _ in range(rng.randint(1, 20))
        )
        tree = plant(sequences)
        assert [tuple(tree.tokens[p] for p in path) for path in tree.paths] == sequences
        assert all([tree.depths[p] for p in path] == list(range(len(path))) for path in tree.paths)
        assert len(tree.tokens) == len({s[: i + 1] for s in sequences for i in range(len(s))})


def test_groups_cover_all_rows_and_share_what_they_say() -> None:
    rng = random.Random(2)
    heads = [[rng.randrange(10**6) for _ in range(300)] for _ in range(3)]
    paths = [[*heads[i // 8], *(1000 * i + k for k in range(rng.randint(0, 40)))] for i in range(24)]
    groups = group(paths)
    assert [(g.first, g.last) for g in groups] == [(0, 8), (8, 16), (16, 24)]
    for g in groups:
        assert all(shared_length(paths[g.first], paths[row]) >= g.shared for row in range(g.first, g.last))
    assert all(g.shared >= 300 for g in groups)
    assert group([heads[0]] * 8 + [heads[1]] * 8) == [(0, 8, 300), (8, 16, 300)]
    assert group([[1, 2], [1, 3]]) == [(0, 2, 1)]


@given(st.lists(st.integers(0, 2000), min_size=1, max_size=80))
def test_rows_of_similar_remainders_stand_together(lengths: list[int]) -> None:
    buffers = similar(lengths)
    assert sorted(i for rows in buffers for i in rows) == list(range(len(lengths)))
    assert all(rows == sorted(rows) for rows in buffers) and len(buffers) <= 8
    for rows in buffers:
        assert max(lengths[i] for i in rows) <= 1.5 * min(lengths[i] for i in rows) + 48


@pytest.mark.slow
def test_embedded_model_greedy_and_logprobs() -> None:
    from looptool_kit.policy.models import find_model

    engine = TransformersEngine.load(find_model().path, dtype="float32", batch_size=4)
    tools = (
        Tool(
            name="add",
            description="Adds two integers",
            parameters={"type": "object", "properties": {"a": {"type": "integer"}}},
        ),
    )
    asks = (
        "What is 17 plus 25?",
        "Say hello.",
        "Tell me a very short story about a cat called Mia who lives in Rome.",
        "And 3 plus 4?",
    )
    chats = [
        Sample(tools=tools if i % 2 else (), messages=(Message(role="user", content=ask),), label=Label())
        for i, ask in enumerate(asks)
    ]
    for [one] in check_greedy(engine, chats, 10):
        assert one.text and math.exp(-sum(one.logprobs) / len(one.logprobs)) >= 1
