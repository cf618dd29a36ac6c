"""The pilot: a first training that estimates the band of complexity (ToolACE, section 2.2).

Setting `band.estimate`. A run of its own in the folder `pilot` draws D_1 without a band, without planted
errors and from the same settings, asks the untrained policy, trains D1 once, and asks again. The band goes
from the median loss of what was right before to that of what is still wrong after, both under the untrained
policy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from looptool_kit.config import dump_settings, with_overrides
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Probes
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import write_json, write_text
from looptool_kit.core.terminal import visible
from looptool_kit.policy.label_loss import Score
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.run_toml import FORMAT
from looptool_kit.stages.probe import probe
from looptool_kit.stages.seed._band import ESTIMATE, Sieve, estimated
from looptool_kit.stages.seed.stage import seed
from looptool_kit.stages.seed.trees.complexity import Band, estimate_band
from looptool_kit.stages.train.stage import train
from looptool_kit.tools.own_tools import CATALOGUE
from looptool_kit.trust import inherit

PILOT = "pilot"
"""The folder of the first training, in the run's folder; it may be deleted once the band is there."""
BEFORE = "before.parquet"
"""The untrained policy's answers, in the pilot's folder."""


def estimate(run: Run, score: Score | None = None) -> Band:
    """Estimate the band of a run, on the first call.

    For a run with `band.estimate`; it says where the band comes from. A killed estimate resumes: the
    pilot is a run like any other.

    Args:
        score: Measures the losses; by default the untrained policy.

    Raises:
        RunError: The policy was right nowhere before, or wrong nowhere after, so that nothing bounds a band.
    """
    path = run.folder(0) / ESTIMATE
    if not path.exists():
        run.writable()
        pilot = _pilot(run)
        samples = Samples(seed(pilot).by_id().values())
        right = _right_before(pilot, samples)
        train(pilot, iteration=1)
        wrong = {p.sample_id for p in probe(pilot, iteration=1) if not p.correct}
        losses = Sieve(pilot, Band(0, float("inf")), score).losses(samples)
        try:
            band = estimate_band([losses[i] for i in sorted(right)], [losses[i] for i in sorted(wrong)])
        except ValueError as error:
            raise RunError(
                f"no band can be estimated for {run.path}: {error}. Of {len(samples)} samples"
                f" {len(right)} were right before the training, {len(wrong)} wrong after it. Set band.low and"
                " band.high, or leave band.estimate out."
            ) from None
        counts = {"right_before": len(right), "wrong_after": len(wrong), "samples": len(samples)}
        write_json(path, {**band._asdict(), **counts, "model": run.settings.model})
    facts = estimated(path)
    print(
        f"band {facts.low:.3f} to {facts.high:.3f}, estimated: the median losses of"
        f" {facts.right_before} samples that {visible(facts.model)} answers rightly, and of"
        f" {facts.wrong_after} that it still answers wrongly after one training, of {facts.samples}",
        flush=True,
    )
    return Band(facts.low, facts.high)


def _pilot(run: Run) -> Run:
    """The run of the first training: the same settings without a band and without what it does not need."""
    folder: Path = run.path / PILOT
    if not (folder / "run.toml").exists():
        folder.mkdir(exist_ok=True)
        if (run.path / CATALOGUE).exists():
            shutil.copyfile(run.path / CATALOGUE, folder / CATALOGUE)
        settings = with_overrides(
            run.settings,
            band__estimate=False,
            iterations=1,
            seeds__noise=0.0,
            seeds__fresh=(0,),
            seeds__development=0,
            evaluate__base=False,
        )
        write_text(folder / "run.toml", dump_settings(settings, FORMAT))
        inherit(folder, settings, run.path)
    return Run.open(folder)


def _right_before(pilot: Run, samples: Samples) -> set[str]:
    path = pilot.path / BEFORE
    if not path.exists():
        # Kept apart: the answers after the training replace the stage's own table.
        probe(pilot, samples, policy_of(pilot, 0), iteration=1).write(path)
    return {p.sample_id for p in Probes.read(path) if p.correct}
