"""An SFT epoch of our trainer against TRL's SFTTrainer: 8 samples on each tool list, the same batches in the
same order.

    python benchmarks/bench_sft.py [--lists 3] [--each 8] [--rounds 1] [--quick]

Both sides are `trainers.sft.train` with the settings of the preset `cpu`, batches of 8 and one epoch; TRL's
is the path that it takes for a model whose prefixes cannot be shared: SFTTrainer's own loss and collator over
whole, padded rows. Setting up is part of the work.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
from functools import partial
from pathlib import Path
from unittest.mock import patch

from _measure import HEAD, Work, compare, rows, verdict
from _models import as_imported, load, on_lists

from looptool_kit.config import LoraSettings, load_preset
from looptool_kit.core.samples import Samples


def side(ours: bool, lists: int, each: int, quick: bool) -> Work:
    """The work is one epoch; it returns the loss of each step, and the tokens of all samples, written out and
    with shared prefixes counted once.
    """
    import warnings

    as_imported(ours)
    from looptool_kit.stages.train import sft
    from looptool_kit.stages.train.common import encode
    from looptool_kit.stages.train.packing import pack

    model, tokenizer = load(quick)
    samples = Samples(on_lists(lists, each))
    settings = load_preset("cpu").sft.model_copy(
        update={"epochs": 1, "batch": each, "micro_batch": each, "save_steps": 1_000_000}
    )

    encoded = [encode(tokenizer, s) for s in samples]
    whole = sum(len(p) + len(c) for p, c in encoded)
    shared = 0
    for at in range(0, len(encoded), each):
        prompts, completions = zip(*encoded[at : at + each], strict=True)
        shared += pack(prompts, completions).input_ids.shape[1]

    def work() -> tuple[list[float], int, int]:
        why_not = sft.why_not if ours else (lambda model: "this is the other side of a benchmark")
        with (
            tempfile.TemporaryDirectory() as folder,
            warnings.catch_warnings(),
            patch.object(sft, "why_not", why_not),
        ):
            warnings.simplefilter("ignore")
            sft.train(
                lambda: (copy.deepcopy(model), tokenizer),
                None,
                samples,
                settings,
                LoraSettings(),
                Path(folder),
                seed=0,
            )
            history = (Path(folder) / "history.jsonl").read_text(encoding="utf-8").splitlines()
        return [row["loss"] for row in map(json.loads, history) if "loss" in row], whole, shared

    return work


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("lists", 3), ("each", 8), ("rounds", 1)):
        ask.add_argument(f"--{name}", type=int, default=value)
    ask.add_argument("--quick", action="store_true", help="a tiny random model, two lists of three samples")
    args = ask.parse_args()
    lists, each, rounds = (2, 3, 1) if args.quick else (args.lists, args.each, args.rounds)
    costs = compare(
        {n: partial(side, n == "ours", lists, each, args.quick) for n in ("ours", "TRL")},
        rounds,
        together=args.quick,
    )
    print(HEAD + "\n" + rows(f"epoch of {lists * each}", costs) + "\n")
    losses, whole, shared = costs["ours"].value
    gap = max(abs(a - b) / abs(b) for a, b in zip(losses, costs["TRL"].value[0], strict=True))
    print(f"- largest relative difference between the losses of a step: {gap:.1e}")
    print(f"- {whole:,} tokens written out, {shared:,} with those that a list's samples share computed once")
    print(verdict("CPU", costs["TRL"].best[0] / costs["ours"].best[0], 2.5))


if __name__ == "__main__":
    main()
