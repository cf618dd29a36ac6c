"""What both orders, Dawid-Skene and the evidence add, by scripted judges of known accuracy and bias.

The judges answer through a local mock server and the `llm` judge.

    python benchmarks/judge_consensus.py [--cases 400]

First one judge that names the first answer in part of the cases, whatever stands there: asked in one order,
in the other, in both. Then three judges of different accuracy: each alone, by majority, by Dawid and Skene's
model. The cases are samples of the world with planted label errors. Then the judge `combined` on the
questions of `judge-check`, beside the evidence and the model alone; a scripted model errs independently of
the evidence, which a real one does not.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from mock_llm import MockLLM
from scripted_judges import EVEN, Judge, Judges, Known, cases, judged

from looptool_kit.config import Settings, load_preset, with_overrides
from looptool_kit.core.records import VERDICTS
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import Answer
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import Request, json_object
from looptool_kit.stages.verify._consensus import dawid_skene, majority
from looptool_kit.stages.verify.llm import SYSTEM, prompt
from looptool_kit.studies.judge_check import Trials, ask, card, precision_at, right_samples, trials
from looptool_kit.studies.judge_merits import Share, discarded
from looptool_kit.world import generate


class Counted(NamedTuple):
    """Verdicts against the truth."""

    judged: float
    """Share of the cases that got a verdict."""
    right: float
    """Share of those verdicts that are right."""
    lean: float
    """Share of verdicts for the label minus share for the prediction; 0 is even, where the truth is."""


def count(known: Sequence[Known], said: Sequence[str | None]) -> Counted:
    """Compare verdicts with those that the cases were made for; None stands for no verdict."""
    given = [(c.verdict, v) for c, v in zip(known, said, strict=True) if v is not None]
    share = {v: sum(g == v for _, g in given) / max(1, len(given)) for v in VERDICTS}
    return Counted(
        len(given) / len(known),
        sum(a == b for a, b in given) / max(1, len(given)),
        share["PRED_WRONG"] - share["LABEL_WRONG"],
    )


def settings(server: MockLLM, models: Sequence[str], **jury: object) -> Settings:
    """Settings of a run that these models judge."""
    first, *others = ({"base_url": server.url, "model": m, "key_env": "NO_KEY"} for m in models)
    return load_preset(
        "cpu", judge_llm=first, jury__others=others, **{f"jury__{k}": v for k, v in jury.items()}
    )


def position(count_: int, folder: Path, judge: Judge, seed: int = 0) -> dict[str, Counted]:
    """One biased judge, asked in either order alone and in both.

    The cases are evenly PRED_WRONG and LABEL_WRONG.
    """
    known = cases(count_, seed, EVEN)
    out = {}
    with MockLLM(Judges(known, {"biased": judge})) as server:
        asked = settings(server, ["biased"])
        assert asked.judge_llm
        for name, label_first in (("label first", True), ("prediction first", False)):
            pairs = [(Answer.of(c.sample.label), c.prediction)[:: 1 if label_first else -1] for c in known]
            texts = [prompt(c.sample, *pair) for c, pair in zip(known, pairs, strict=True)]
            requests = [
                Request([{"role": "system", "content": SYSTEM}, {"role": "user", "content": t}])
                for t in texts
            ]
            said = [
                json_object(r.text or "")["verdict"]
                for r in complete(requests, asked.judge_llm, folder / "calls.sqlite", name)
            ]
            meaning = dict(zip("AB", ("PRED_WRONG", "LABEL_WRONG")[:: 1 if label_first else -1], strict=True))
            out[name] = count(
                known, [meaning.get(v, {"both": "BOTH_CORRECT"}.get(v, "BOTH_WRONG")) for v in said]
            )
        out["both orders"] = count(known, [v.verdict for v in judged(known, asked, folder)])
    return out


def consensus(
    count_: int, folder: Path, judges: Mapping[str, Judge], seed: int = 0
) -> tuple[dict[str, Counted], list[float]]:
    """Judges alone, by majority, by Dawid-Skene, and by the `llm` judge.

    Where the majority is tied, chance decides.

    Returns:
        The counts of each way, and the accuracies that Dawid-Skene estimates.
    """
    known = cases(count_, seed)
    names = list(judges)
    out = {}
    with MockLLM(Judges(known, judges)) as server:
        columns = []
        for name in names:
            said = judged(known, settings(server, [name]), folder)
            columns.append([next((v for v in VERDICTS if s.votes.get(v)), None) for s in said])
            out[f"{name} alone"] = count(known, columns[-1])
        rows = [[None if v is None else VERDICTS.index(v) for v in row] for row in zip(*columns, strict=True)]
        weighed = dawid_skene(rows, len(VERDICTS))
        noise = (
            np.random.default_rng(seed).random((len(rows), len(VERDICTS))) * 1e-9
        )  # where judges are tied, chance decides
        for name, probability in (
            ("majority", majority(rows, len(VERDICTS))),
            ("Dawid-Skene", weighed.probability),
        ):
            out[name] = count(known, [VERDICTS[p.argmax()] for p in probability + noise])
        out["the llm judge"] = count(
            known, [v.verdict for v in judged(known, settings(server, names), folder)]
        )
    return out, [float(a) for a in weighed.accuracy]


class Beside(NamedTuple):
    """A judge on the questions of `judge-check`."""

    precision: float
    """Of LABEL_WRONG where 10% of the labels are wrong."""
    recall: Share
    lost: Share
    """Right labels that are thrown away or replaced."""
    right: Share
    """Trials with the right verdict."""
    weights: str = ""
    """Of the evidence and of the model."""


def combined(samples: int, folder: Path, accuracies: Sequence[float], seed: int = 0) -> dict[str, Beside]:
    """The evidence alone, and models of these accuracies alone and beside it."""
    right = right_samples(generate(samples, seed=seed), {})
    questions, by_id = trials(right, seed), {s.id: s for s in right}
    known = [
        Known(by_id[t.sample_id].model_copy(update={"label": t.label}), t.prediction, t.expected)
        for t in questions
    ]
    names = {f"model {a:.2f}": a for a in accuracies}
    out = {"evidence": _beside(right, questions, Settings(), folder)}
    with MockLLM(Judges(known, {n: Judge(a) for n, a in names.items()})) as server:
        for name in names:
            for judge, row in (("llm", f"{name} alone"), ("combined", f"{name} + evidence")):
                asked = with_overrides(settings(server, [name]), verify__judge=judge)
                out[row] = _beside(right, questions, asked, folder / row)
    return out


def _beside(right: Samples, questions: Trials, asked: Settings, folder: Path) -> Beside:
    answered, facts = ask(right, questions, asked, folder, repeats=1)
    row, merits = card(answered)[-1], facts.get("merits")
    weights = f"{merits['evidence']:.1f}, {merits['model']:.1f}" if merits else ""
    return Beside(precision_at(answered), row.recall, discarded(answered), row.right, weights)


def main() -> None:
    """Ask the judges and print the tables."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--cases", type=int, default=400)
    options.add_argument("--samples", type=int, default=60, help="of the world, for the judge `combined`")
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        biased = position(args.cases, Path(folder) / "a", Judge(accuracy=0.9, bias=0.3), args.seed)
        weighed, believed = consensus(
            args.cases,
            Path(folder) / "b",
            {"j90": Judge(0.9), "j75": Judge(0.75), "j60": Judge(0.6)},
            args.seed,
        )
        beside = combined(args.samples, Path(folder) / "c", (0.9, 0.75, 0.6, 0.25), args.seed)
    print(
        f"{args.cases} cases, half PRED_WRONG, half LABEL_WRONG; a judge of accuracy 0.90 that names the"
        " first answer in 30% of them"
    )
    table(biased)
    print(
        f"\n{args.cases} cases of all four verdicts; judges of accuracy 0.90, 0.75, 0.60 (estimated:"
        f" {', '.join(f'{a:.2f}' for a in believed)})"
    )
    table(weighed)
    print(
        f"\nThe questions of judge-check on {args.samples} samples, each sample judged by the others' merits"
    )
    print("| judge | precision at 10% | recall | right labels lost | right verdict | weights |")
    print("|---|---|---|---|---|---|")
    for name, b in beside.items():
        print(f"| {name} | {b.precision:.2f} | {b.recall} | {b.lost} | {b.right} | {b.weights} |")


def table(rows: Mapping[str, Counted]) -> None:
    """Print counts."""
    print(f"{'':18}{'judged':>8}{'right':>8}{'lean to the label':>20}")
    for name, c in rows.items():
        print(f"{name:18}{c.judged:>8.3f}{c.right:>8.3f}{c.lean:>+20.3f}")


if __name__ == "__main__":
    main()
