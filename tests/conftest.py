"""Tiny random models, so that whole trainings and loops run in seconds; the embedded model for what needs a
real one.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from looptool_kit.run.folder import Run

# How long an example takes is the machine's affair.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start first what may take longest, each on another worker: one that came to it last would be alone
    with it. xdist cuts the list into one piece a worker; tests of one module stay together, for its fixtures.
    """

    def may_take(item: pytest.Item) -> float:
        marker = item.get_closest_marker("timeout")
        return float(marker.args[0]) if marker else 0.0

    groups: dict[tuple[Path, float], list[pytest.Item]] = {}
    for item in items:
        groups.setdefault((item.path, may_take(item)), []).append(item)
    long = sorted((key for key in groups if key[1]), key=lambda key: key[1], reverse=True)
    rest = [item for item in items if not may_take(item)]
    workers, total = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")), len(items)
    items.clear()
    for worker in range(workers):
        mine = [item for key in long[worker::workers] for item in groups[key]]
        end = max(0, (total - len(items)) // (workers - worker) - len(mine))
        items += mine + rest[:end]
        del rest[:end]
    items += rest


@pytest.fixture(scope="session", autouse=True)
def own_configuration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What runs are confirmed to do is kept in a folder of the tests, in the processes that they start as
    well.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("configuration")))
        yield


def saved_checkpoint(folder: Path, tokenizer: Any, tokens: int) -> Path:
    """A tiny random Llama with its tokenizer, as a checkpoint folder."""
    from tiny_models import tiny_model

    tiny_model("llama", tokens=tokens).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model that reads and writes bytes."""
    pytest.importorskip("torch")
    from tiny_models import BYTES, tiny_tokenizer

    return saved_checkpoint(tmp_path_factory.mktemp("tiny"), tiny_tokenizer(), BYTES)


@pytest.fixture(scope="session")
def wordy_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with a quarter of the tokens, for whole loops."""
    pytest.importorskip("torch")
    from tiny_models import WORDY, wordy_tokenizer

    return saved_checkpoint(tmp_path_factory.mktemp("wordy"), wordy_tokenizer(), WORDY)


@pytest.fixture
def tiny_loader(wordy_checkpoint: Path) -> Callable[[], tuple[Any, Any]]:
    """What trainers take as `load`."""
    from looptool_kit.policy.policy import load_base

    return lambda: load_base(str(wordy_checkpoint))


@pytest.fixture
def tiny_engine() -> Callable[[Any, Any], Any]:
    """What GRPO takes as `engine_for`."""
    from looptool_kit.stages.train.grpo import merged_engine

    return merged_engine(batch=8)


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The scripted policy in place of the model: the iterations that it was trained in."""
    from scripted_runs import scripted

    return scripted(monkeypatch)


@pytest.fixture
def run(tmp_path: Path, trained: list[int]) -> Run:
    """A finished loop of the scripted policy, nothing trained since."""
    from scripted_runs import finished_loop

    made = finished_loop(tmp_path / "run")
    trained.clear()
    return made


def pytest_collection_finish() -> None:
    """Let the collector of garbage leave alone what is there before the first test.

    Thousands of modules and tests: each of its rounds, which trainings ask for, would look at them all.
    """
    gc.collect()
    gc.freeze()
