"""Work that is called twice, with vLLM's answers in between, ends as with the engine itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.policy.engines import Completion, Engine, Sampling
from looptool_kit.policy.policy import base_policy, open_engine
from looptool_kit.policy.processor import Rows, Written, _plain, processed
from looptool_kit.policy.remote import RemoteEngine
from looptool_kit.world import generate

pytestmark = pytest.mark.slow


def vllm_row(engine: Any, row: dict[str, Any]) -> dict[str, Any]:
    """What `ray.data.llm` documents as a row's output, written by the engine `transformers`."""
    prompt, params = tuple(row["tokenized_prompt"]), row["sampling_params"]
    carried = {name: row[name] for name in ("item", "row", "tail")}
    if tail := row["tail"]:
        said = engine._score([(prompt[:-tail], prompt[-tail:])])[0]
        places = [None] * (len(prompt) - tail) + [{7: {"logprob": x, "rank": 1}} for x in said]
        return {**carried, "generated_tokens": [1], "logprobs": None, "prompt_logprobs": places}
    from looptool_kit.policy.engines.transformers import Row

    (made,) = engine._decode([Row(prompt, 0, params["max_tokens"])], Sampling(params["max_tokens"]))
    chosen = [{i: {"logprob": x, "rank": 1}} for i, x in zip(made.token_ids, made.logprobs, strict=True)]
    tokens = list(made.token_ids)
    return {**carried, "generated_tokens": tokens, "logprobs": chosen, "prompt_logprobs": None}


def test_work_of_two_questions_gets_both_answers(tiny_checkpoint: Path) -> None:
    samples, policy = list(generate(5, seed=5)), base_policy(str(tiny_checkpoint))
    plain: Any = open_engine(policy, 1)
    remote = RemoteEngine(policy.model, None, 1, "vllm", lambda: plain)
    rounds: list[int] = []

    def through(rows: Rows) -> Iterator[tuple[int, int, Written]]:
        rounds.append(len(rows))
        for row in reversed(rows):
            said = _plain(vllm_row(plain, row))
            yield said["item"], said["row"], Written(said["ids"], said["logprobs"], said["prompt_logprobs"])

    def work(engine: Engine, batch: list[int]) -> tuple[list[list[Completion]], list[tuple[float, ...]]]:
        chats = [samples[i] for i in batch]
        made = engine.generate(chats, Sampling(6))
        return made, engine.score(chats, [c.text for (c,) in made])

    batches = [[0, 3], [1], [4, 2]]
    found = dict(
        (tuple(batch), result)
        for batch, result in processed(batches, lambda b: work(remote, b), remote.follow, through)
    )
    assert rounds == [5, 5]
    for batch in batches:
        (made, scores), (want, exact) = found[tuple(batch)], work(plain, batch)
        assert [[c.text for c in row] for row in made] == [[c.text for c in row] for row in want]
        assert [[c.token_ids for c in row] for row in made] == [[c.token_ids for c in row] for row in want]
        for got, right in zip(scores, exact, strict=True):
            assert got == pytest.approx(right, abs=1e-4)
