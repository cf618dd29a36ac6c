"""The setting `engine`: the error without vLLM, and that its change repeats nothing finished."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

import looptool_kit as lt
from looptool_kit.policy.policy import base_policy, open_engine, policy_of

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
without_vllm = pytest.mark.skipif(
    importlib.util.find_spec("vllm") is not None, reason="vLLM is installed here"
)


@without_vllm
def test_without_vllm_there_is_one_sentence_with_the_remedy() -> None:
    with pytest.raises(
        ValueError, match=r'engine vllm is not installed here: .*`make setup`.*engine = "transformers"'
    ):
        open_engine(base_policy("embedded", "vllm"), 4)


@without_vllm
def test_another_engine_redoes_nothing_that_is_finished(tmp_path: Path) -> None:
    run = lt.Run.open(shutil.copytree(RECORDED, tmp_path / "run", ignore=shutil.ignore_patterns(".lock")))
    before, probes, verdicts = policy_of(run, 1), lt.probe(run, iteration=1), lt.verify(run, iteration=1)
    run.set(engine="vllm")
    after = policy_of(run, 1)
    assert (before.engine, after.engine) == ("transformers", "vllm") and before.key == after.key
    # To do anything they would need the engine, and there is none.
    assert lt.probe(run, iteration=1) == probes and lt.verify(run, probes, iteration=1) == verdicts
    assert len(lt.evaluate(run, after)) == run.manifest("scores", 1)["rows"]
    with pytest.raises(ValueError, match="engine vllm is not installed"):
        run.set(probe__max_new_tokens=7)
        lt.probe(run, iteration=1)
