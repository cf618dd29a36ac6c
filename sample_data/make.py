"""Make what this folder holds: the world's catalogue, a small set of each split, a recorded run, and the
scores of recorded arms.

    python sample_data/make.py runs/cpu --ablation runs/results

The run is copied without its adapters (weights do not belong here), so every table and setting can be looked
at, but not trained further. Of a folder of `looptool ablate` only the scores are copied, `ablation.parquet`.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from looptool_kit import world
from looptool_kit.core.tables import write_text
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.run.folder import Run
from looptool_kit.studies.outcomes import Outcomes

HERE = Path(__file__).parent
LEFT_OUT = shutil.ignore_patterns(
    "adapter", "checkpoint-*", ".lock", "report.html", "*.parts", "probes_raw.parquet"
)


def main(run_folder: str | None, ablation: str | None) -> None:
    """Write the files; record the run and the arms' scores too where they are given."""
    write_text(
        HERE / "catalogue.json",
        json.dumps(tool_schemas(world.catalogue()), indent=1, ensure_ascii=False) + "\n",
    )
    for split, count in (
        ("train", 80),
        ("unseen_values", 24),
        ("unseen_phrasings", 24),
        ("unseen_tools", 24),
    ):
        world.generate(count, seed="sample_data", split=split).write(HERE / f"{split}.jsonl")
    if run_folder is not None:
        Run.open(run_folder, read_only=True)  # raises if it is none
        shutil.rmtree(HERE / "run", ignore_errors=True)
        shutil.copytree(run_folder, HERE / "run", ignore=LEFT_OUT)
    if ablation is not None:
        Outcomes.read(Path(ablation) / "ablation.parquet").write(HERE / "ablation" / "ablation.parquet")


if __name__ == "__main__":
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("run", nargs="?", help="folder of the run to record")
    ask.add_argument("--ablation", help="folder of the arms to record")
    args = ask.parse_args()
    main(args.run, args.ablation)
