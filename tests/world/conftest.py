"""Samples of every split, drawn once."""

from __future__ import annotations

import pytest

from looptool_kit import world
from looptool_kit.core.samples import Samples


@pytest.fixture(scope="session")
def splits() -> dict[str, Samples]:
    return {split: world.generate(500 if split == "train" else 200, 11, split) for split in world.SPLITS}
