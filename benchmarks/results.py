"""Does the loop help on the embedded model? Runs the loop and a seed-only control over several random seeds
and writes docs/results.md.

    python benchmarks/results.py --seeds 0 1 2

The control starts from the same policy D1 and is trained, iteration by iteration, on seed samples alone:
those that the loop had seen by then, repeated until all that it trained on and generated has as many tokens
as the loop's, with the same recipe. `--arms` names the arms beside the loop: the control, and the loop
without a part (`looptool_kit/presets/ablation.toml`); none, and the loops are compared with the model that
they start from alone. `--jobs 8` runs eight at once, one thread each where there are as many cores, also on
one GPU; what each says is in runs/results/<run>.log. Finished runs stay in runs/results; none is repeated.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from _pages import wrapped
from results_page import comparison, page

from looptool_kit.core.tables import write_text
from looptool_kit.run.folder import Run
from looptool_kit.studies.arms import ARMS, CONTROL, FULL
from looptool_kit.studies.compare import Comparison, compare, run_task
from looptool_kit.studies.jobs import Task


def main() -> None:
    """Run what is missing and write the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    ask.add_argument("--preset", default="cpu")
    ask.add_argument("--held-out", type=int, default=150, help="evaluation samples a split")
    ask.add_argument(
        "--arms",
        nargs="*",
        default=[CONTROL],
        choices=[a for a in ARMS if a != FULL],
        help="what the loop is compared with",
    )
    ask.add_argument("--jobs", type=int, default=1, help="runs at once")
    ask.add_argument("--runs", type=Path, default=Path("runs/results"))
    ask.add_argument("--out", type=Path, default=Path("docs/results.md"))
    args = ask.parse_args()
    plan = comparison(args, **({"probe__batch": 512} if has_gpu() else {}))
    compare(plan, args.jobs, print, work)
    runs = {
        arm: [Run.open(plan.folder(n, arm), read_only=True) for n in args.seeds] for arm in (FULL, *args.arms)
    }
    write_text(args.out, wrapped(page(runs[FULL], runs.get(CONTROL, []), args)))
    print(f"wrote {args.out}")


def work(plan: Comparison, task: Task, say: Callable[[str], None]) -> None:
    """Do a task of the comparison, on a GPU in larger batches."""
    from looptool_kit.policy.engines import prompts

    if has_gpu():
        prompts.MAX_BATCH_TOKENS = 200_000  # what a card holds: fewer, larger batches
    run_task(plan, task, say)


def has_gpu() -> bool:
    """Whether torch finds one."""
    import torch

    return torch.cuda.is_available()


if __name__ == "__main__":
    main()
