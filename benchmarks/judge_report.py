"""The evidence judge's report card on the world's samples, written to docs/judge-report.md.

    python benchmarks/judge_report.py [--samples 60] [--run RUN] [--bfcl 12] [--unseen 100] [--file FILE]

With --run a trained policy (of the run's newest trained iteration) lends its log-probabilities, and another
table follows; with --bfcl another, on that many entries of each of BFCL's single-turn Python categories with
calls (after `looptool evaluate --suite bfcl --setup`); with --unseen the judge's weights on data sets that
they were not fitted to (and on right samples of your own, --file), and grounding on all of its data.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from _pages import wrapped

from looptool_kit.config import Settings
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.studies.judge_check import check, right_samples
from looptool_kit.world import generate

CATEGORIES = ("simple_python", "multiple", "parallel", "parallel_multiple", "live_simple", "live_multiple")
DOC = Path(__file__).parent.parent / "docs" / "judge-report.md"


def bfcl(each: int) -> Samples:
    """`each` entries of every category, labels as BFCL has them (of several acceptable values the first)."""
    from looptool_kit.stages.evaluate import chosen
    from looptool_kit.stages.evaluate.bfcl.env import Worker
    from looptool_kit.stages.evaluate.bfcl.labels import sample_of

    with Worker() as worker:
        found = {c: worker.ask("entries", category=c) for c in CATEGORIES}
    return right_samples(
        Samples(sample_of(rows[i], c) for c, rows in found.items() for i in chosen(len(rows), c, each)), {}
    )


def unseen(each: int, file: Path | None) -> str:
    """What the weights make of data that they were not fitted to, and how grounding does."""
    from grounding import library_rows, table
    from judge_fit import data, left_out

    return "\n\n".join(
        (
            "## On data that the weights have not seen",
            f"`benchmarks/judge_fit.py --each {each}{f' --file {file.name}' if file else ''}`: the weights"
            " are fitted without the data set of the row, and never to BFCL or to a file of one's own. BFCL's"
            " mistakes were read all the same while the signs were chosen."
            + (" The file is that of [the audit](audit.md#on-public-rows)." if file else "")
            + " A label is replaced from the floor on (`verify.floor`, 0.95).",
            "\n".join(left_out(data(each, file))),
            "## Grounding",
            "`benchmarks/grounding.py`: right labels of which an argument does not pass, and planted wrong"
            " values that do not. BFCL was looked at while grounding was changed, the held-back half was not;"
            " both halves are by one author.",
            "\n".join(table(400)),
            "What is read of the numbers and dates of the hand-written set, by ours and by the libraries that"
            " are installed (`--libraries`):",
            "\n".join(library_rows()),
        )
    )


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--samples", type=int, default=60)
    arguments.add_argument("--run", type=Path)
    arguments.add_argument("--bfcl", type=int, default=0)
    arguments.add_argument("--unseen", type=int, default=0)
    arguments.add_argument("--file", type=Path, help="right samples in any form, for --unseen")
    given = arguments.parse_args()
    samples = right_samples(generate(given.samples, seed=3), {})
    command = f"python benchmarks/judge_report.py --samples {given.samples}" + (
        " --run RUN" if given.run else ""
    )
    command += f" --bfcl {given.bfcl}" if given.bfcl else ""
    command += f" --unseen {given.unseen}" if given.unseen else ""
    command += f" --file {given.file.name}" if given.file else ""
    with tempfile.TemporaryDirectory() as folder:
        parts = [f"## Without a policy\n\n{check(Path(folder), samples, Settings())}"]
        if given.run:
            from looptool_kit.policy.policy import open_engine, policy_of

            run = Run.open(given.run, read_only=True)
            trained = max(j for j in run.iterations if run.manifest("policy", j))
            engine = open_engine(policy_of(run, trained), run.settings.probe.batch)
            parts.append(
                "## With the log-probabilities of a trained"
                f" policy\n\n{check(Path(folder), samples, Settings(), engine)}"
            )
        if given.bfcl:
            entries = bfcl(given.bfcl)
            parts.append(
                f"## On {len(entries)} entries of BFCL, without a"
                f" policy\n\n{check(Path(folder), entries, Settings())}"
            )
    if given.unseen:
        parts.append(unseen(given.unseen, given.file))
    head = (
        "# Report card of the evidence judge\n\n"
        f"Made by `{command}`: {len(samples)} samples of the procedural world, each with every kind of error"
        " that it has a place for. For each error the judge\nis asked with the wrong answer as label, with it"
        " as prediction, and with another wrong answer beside it. Intervals are Wilson's at 95%; trials of"
        " one\nsample are not independent, so read them as somewhat too narrow. Precision counts a"
        " LABEL_WRONG on two wrong answers as false.\n"
    )
    if not given.run:
        head += (
            "\nNot run here: the same with a trained policy's log-probabilities (`--run`), which the judge"
            " shows and does not weigh.\n"
        )
    DOC.write_text(wrapped("\n\n".join([head.rstrip(), *parts]) + "\n"), encoding="utf-8")
    print(DOC.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
