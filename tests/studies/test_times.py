"""The estimate of what is left of a comparison, from the manifests of what has run."""

from __future__ import annotations

from pathlib import Path

from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import write_json
from looptool_kit.run.folder import Run
from looptool_kit.studies.arms import CONTROL, FULL
from looptool_kit.studies.compare import folder
from looptool_kit.studies.times import forecast, seconds_to_go

STAGES = {"seed": (0,), "policy": (1, 2, 3), "scores": (1, 2, 3), "probes_raw": (1, 2), "composition": (1, 2)}


def timed(path: Path, seconds: float, later: float, through: int = 3) -> None:
    """A run's folder as far as an estimate looks: each stage of iteration 1 took `seconds`, each later one
    `later`.
    """
    run = Run.create(path, "cpu-quick", iterations=2)
    for stage, iterations in STAGES.items():
        for j in iterations:
            if j <= through:
                write_json(
                    run.folder(j) / f"{stage}.json",
                    {"stage": stage, "key": "k", "policy": f"D{j}", "seconds": later if j > 1 else seconds},
                )
                Samples().write(run.folder(j) / "samples.parquet")


def test_the_estimate_follows_from_the_manifests(tmp_path: Path) -> None:
    arms = (FULL, "no-hppl", CONTROL)
    places = {(seed, arm): folder(tmp_path, "cpu-quick", seed, arm) for seed in (0, 1) for arm in arms}
    timed(places[0, FULL], 1000, 100, through=2)
    assert seconds_to_go(
        places, [CONTROL]
    ) is None and "6 runs (3 arms, 2 random seeds), 0 finished; the first one measures" in forecast(
        places, [CONTROL]
    )
    timed(places[0, FULL], 1000, 100)
    # full: 5 stages of 1000 s and 6 later ones of 100; the control's are the 4 that train or evaluate
    whole, arm, control = 5600, 600, 400
    assert seconds_to_go(places, [CONTROL]) == (arm + control) + (whole + arm + control)
    assert forecast(places, [CONTROL]).endswith("1 finished; about 2 h 07 min to go")
    timed(places[0, "no-hppl"], 1000, 50)
    assert seconds_to_go(places, [CONTROL]) == control + (whole + 300 + control), (
        "an arm that was measured counts, its warm start does not"
    )
    timed(places[0, CONTROL], 1000, 30, through=2)
    assert seconds_to_go(places, [CONTROL]) == (control - 60) + (whole + 300 + control), (
        "what is done of an arm is not to go"
    )
