"""Make the adapter of the model `embedded` again, and write its card's figures.

    python benchmarks/embedded.py [--tokens-total 40000000 | --minutes 10] [--kinds parallel=2] [--out DIR]
    python benchmarks/embedded.py --check [--samples 150] [--bfcl 25] [--adapter DIR]

The data is procedural: the world's split `train`, without the domains of the CPU presets, so that the loop's
tools, the held-out tools, values and phrasings stay new to the model, and made-up tools (made_up_tools.py).
Samples of one tool list share its tokens. One GPU takes minutes; without one the script first measures a
small pass and says how many hours it would take. Stopped, the same command resumes from the last checkpoint.

`--check` evaluates the shipped adapter, or another one, on held-out samples, with `--bfcl N` on N entries of
each single-turn category of BFCL too (needs `looptool evaluate --suite bfcl --setup`), and writes the tables
into docs/embedded.md. What is finished is not done again.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embedded_card import check
from embedded_data import domains
from embedded_train import make

from looptool_kit import world

ROOT = Path(__file__).resolve().parent.parent


def weights_of(text: str) -> dict[str, float]:
    """`single=1,parallel=2` as {kind: weight}. Raises `argparse.ArgumentTypeError`."""
    out: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            out[name] = float(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is not KIND=WEIGHT") from None
        if name not in world.KINDS or not 0 <= out[name] < math.inf:
            raise argparse.ArgumentTypeError(
                f"{part!r}: kinds are {', '.join(world.KINDS)}, weights 0 or more"
            )
    return out


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    number, real = {"type": int}, {"type": float}
    workers = min(8, (os.cpu_count() or 1) - 1)
    options: list[tuple[str, Any, dict[str, Any], str]] = [
        (
            "out",
            Path("runs/embedded"),
            {"type": Path},
            "for adapter, checkpoint, history and finished checks",
        ),
        ("model", "embedded-base", {}, "what the adapter is for"),
        ("domains", domains(), {"nargs": "+"}, "domains of the world to train on"),
        ("kinds", {}, {"type": weights_of}, "weights of task kinds, as single=1,parallel=2 (else 1)"),
        ("words", 1.0, real, "weight of samples in which a value is said in other words"),
        ("per-list", 6, number, "samples that share a tool list"),
        ("wide", 0.5, real, "share of the world's tool lists that get tools of other domains too"),
        ("made-up", 0.5, real, "share of samples on made-up tools"),
        ("seed", "base", {}, "of the data"),
        ("chunk", 2_000, number, "samples of the world of one seed"),
        ("contamination", None, {}, "list of benchmarks' fingerprints: what they have is left out"),
        ("tokens", None, number, "tokens of a pass, shared ones counted once (24576 on a GPU, else 4096)"),
        ("tokens-total", 40_000_000, number, "tokens to train on, shared ones counted every time"),
        ("minutes", None, real, "how long to train, in place of --tokens-total"),
        ("rate", 1.5e-3, real, "learning rate"),
        ("rank", 16, number, "rank that is trained"),
        ("keep", 8, number, "rank that is saved"),
        ("save-steps", 100, number, "steps between checkpoints"),
        ("workers", workers, number, "processes that prepare the data"),
        ("adapter", None, {"type": Path}, "check this one, not the shipped one, and leave the card alone"),
        ("samples", 150, number, "held-out samples a split"),
        (
            "base-samples",
            15,
            number,
            "the same for embedded-base, whose answers are long; so of BFCL's entries",
        ),
        ("bfcl", 0, number, "check also this many entries of each single-turn category of BFCL"),
        ("max-new-tokens", 160, number, "length limit of an answer to a held-out sample"),
        ("batch", 32, number, "answers at once"),
        ("threads", 0, number, "threads of the check; 0: as torch has it"),
        ("card", ROOT / "docs" / "embedded.md", {"type": Path}, "page that the check's tables go into"),
    ]
    for name, value, more, text in options:
        ask.add_argument(f"--{name}", default=value, help=text, **more)
    ask.add_argument("--yes", action="store_true", help="train without a GPU however long it takes")
    ask.add_argument("--check", action="store_true", help="evaluate, do not train")
    args = ask.parse_args(argv)
    if wrong := sorted(set(args.domains) - set(domains())):
        free = ", ".join(domains())
        ask.error(f"{', '.join(wrong)}: held out, a CPU preset's or unknown. To train on: {free}")
    if not 1 <= args.keep <= args.rank:
        ask.error("--keep takes 1 to --rank")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Make or check."""
    args = arguments(argv)
    try:
        check(args) if args.check else make(args)
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
