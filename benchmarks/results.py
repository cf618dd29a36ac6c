"""Does the loop help on the embedded model? Runs the loop and a seed-only control over several random seeds
and writes docs/results.md.

    python benchmarks/results.py --seeds 0 1 2

The control starts from the same policy D1 and is trained, iteration by iteration, on seed samples alone:
those that the loop had seen by then, repeated until their tokens reach those of the loop's dataset, with the
same recipe. `--arms` names the arms beside the loop: the control, and the loop without a part
(`looptool_kit.studies.arms`); none, and the loops are compared with the model that they start from alone.
`--jobs 8` runs eight at once, one thread each, also on one GPU; what each says is in runs/results/<run>.log.
Finished runs stay in runs/results; none is repeated.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from _pages import wrapped
from results_page import label_logprobs, page

import looptool_kit as lt
from looptool_kit.core.tables import write_text
from looptool_kit.run.folder import Run
from looptool_kit.studies.ablate import folder, run_arm
from looptool_kit.studies.arms import ARMS, CONTROL, FULL


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
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn")) as pool:
        loops = {pool.submit(work, args, number, FULL): number for number in args.seeds}
        arms = []
        for done in as_completed(loops):
            done.result()
            arms += [pool.submit(work, args, loops[done], arm) for arm in args.arms]
        for done in as_completed(arms):
            done.result()
    runs = {
        arm: [Run.open(folder(args.runs, args.preset, n, arm), read_only=True) for n in args.seeds]
        for arm in (FULL, *args.arms)
    }
    write_text(args.out, wrapped(page(runs[FULL], runs.get(CONTROL, []), args)))
    print(f"wrote {args.out}")


def work(args: argparse.Namespace, number: int, arm: str) -> None:
    """Run the loop of one random seed to its end, or an arm beside it; several at once have one thread each
    and a log.
    """
    import torch

    from looptool_kit.policy.engines import prompts

    path = folder(args.runs, args.preset, number, arm)
    if args.jobs > 1:
        torch.set_num_threads(1)
    if torch.cuda.is_available():
        prompts.MAX_BATCH_TOKENS = 200_000  # what a card holds: fewer, larger batches
    args.runs.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        if args.jobs > 1:
            out = stack.enter_context(open(f"{path}.log", "a", encoding="utf-8", buffering=1))
            stack.enter_context(contextlib.redirect_stdout(out))
            stack.enter_context(contextlib.redirect_stderr(out))
        batch = {"probe__batch": 512} if torch.cuda.is_available() else {}
        full_path = folder(args.runs, args.preset, number, FULL)
        if arm == FULL:
            full = Run.create(full_path, args.preset, seed=number, seeds__held_out=args.held_out, **batch)
            lt.Loop(full).run()
            return
        full = Run.open(full_path, read_only=True)
        run = run_arm(full, path, arm)
        if arm == CONTROL:
            for side in (full, run):
                for j in side.iterations:
                    label_logprobs(side, j)


if __name__ == "__main__":
    main()
