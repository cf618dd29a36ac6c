"""A judge's report card: errors are planted in labels, and the judge is asked.

For each sample and kind of error four questions (trials): the label is wrong and the prediction right, the
reverse, both right in other words, both wrong in different ways. Nothing of the answer key reaches the judge.
`looptool judge-check` prints the card and keeps every trial as a table.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from looptool_kit.augment.planting import KINDS, in_other_words, plant, values_of
from looptool_kit.checks.rules import call_errors
from looptool_kit.config import Settings
from looptool_kit.core.progress import bar
from looptool_kit.core.records import Verdict, VerdictName
from looptool_kit.core.samples import Frozen, Label, Sample, Samples
from looptool_kit.core.tables import Table, write_json
from looptool_kit.core.toolcalls import Answer, match
from looptool_kit.policy.engines import Engine
from looptool_kit.stages.verify import Case, Context, Known, Logprobs, find_judge, find_measure
from looptool_kit.studies.judge_merits import (
    Share,
    discarded,
    missed_words,
    reliability,
    share,
    worth_from,
    worth_words,
)

SHARE = 0.1
"""Share of wrong labels for which the card says what LABEL_WRONG is worth; the trials themselves hold far
more.
"""
CHUNK = 32
"""Trials that the policy scores in one call."""


class Trial(Frozen):
    """One question to the judge whose answer is known."""

    sample_id: str
    """Of the sample under its true label."""
    kind: str
    """The planted error; `other_words` where both answers are right."""
    expected: VerdictName
    label: Label
    """As the judge saw it."""
    prediction: Answer
    verdicts: tuple[str, ...] = ()
    """One a repeat: a verdict, or `unjudged`."""
    rationale: str = ""
    """Of the first repeat."""
    for_label: float | None = None
    """The first repeat's probability that the label is right, where the judge gives one."""
    for_prediction: float | None = None
    """The same of the prediction."""

    @property
    def verdict(self) -> str:
        """The first repeat's verdict."""
        return self.verdicts[0]


class Trials(Table[Trial]):
    """A table of trials."""

    row_type = Trial


class CardRow(NamedTuple):
    """How the judge did on one kind of error."""

    kind: str
    trials: int
    precision: Share
    """Of its LABEL_WRONG verdicts, those where the label was wrong and the prediction right."""
    recall: Share
    """Of the trials with a wrong label and a right prediction, those called LABEL_WRONG."""
    abstention: Share
    """Of all trials, those left unjudged."""
    right: Share
    """Of all trials, those with the expected verdict."""
    consistent: Share
    """Of all trials, those with one verdict in all repeats."""


def trials(samples: Sequence[Sample], seed: int = 0) -> Trials:
    """Make the questions for a judge.

    For each sample and kind of error each pairing that can be made. The same for the same samples and
    seed.
    """
    values = values_of(samples)
    rows: list[Trial] = []
    for sample in samples:
        rng = Random(f"judge-check/{seed}/{sample.id}")
        wrong = {kind: label for kind in KINDS if (label := plant(sample, kind, rng, values)) is not None}
        right = sample.label

        def ask(kind: str, expected: VerdictName, label: Label, other: Label, of: str = sample.id) -> None:
            rows.append(
                Trial(sample_id=of, kind=kind, expected=expected, label=label, prediction=Answer.of(other))
            )

        for kind, label in wrong.items():
            ask(kind, "LABEL_WRONG", label, right)
            ask(kind, "PRED_WRONG", right, label)
            second = next(
                (
                    w
                    for k, w in rng.sample(list(wrong.items()), len(wrong))
                    if k != kind and not match(w, label)
                ),
                None,
            )
            if second is not None:
                ask(kind, "BOTH_WRONG", label, second)
        if (same := in_other_words(sample)) is not None:
            ask("other_words", "BOTH_CORRECT", right, same)
            ask("other_words", "BOTH_CORRECT", same, right)
    return Trials(rows)


def check(
    path: Path,
    samples: Sequence[Sample],
    settings: Settings,
    engine: Engine | None = None,
    repeats: int = 2,
    supersede: Callable[..., object] | None = None,
) -> str:
    """Ask the judge about the samples (true labels); the card as text.

    The folder `path` then holds `trials.parquet` and `card.json`.

    Args:
        supersede: Moves these two files of an earlier check away; None: they are written over.
    """
    answered, facts = ask(samples, trials(samples, settings.seed), settings, path, engine, repeats)
    card_file, trials_file = path / "card.json", path / "trials.parquet"
    note = ""
    if supersede and (card_file.exists() or trials_file.exists()):
        supersede(card_file, trials_file)
        note = "\nThe earlier check of this judge was moved to the folder `superseded`; nothing is deleted."
    answered.write(trials_file)
    rows = [
        {k: v._asdict() if isinstance(v, Share) else v for k, v in r._asdict().items()}
        for r in card(answered)
    ]
    told = {k: v._asdict() for k, v in trusted(answered).items()}
    write_json(
        card_file,
        {
            **facts,
            "samples": len(samples),
            "precision": precision_at(answered),
            "discarded": discarded(answered)._asdict(),
            "worth_from": worth_from(answered),
            "reliability": [r._asdict() for r in reliability(answered)],
            "rows": rows,
            "trusted": told,
        },
    )
    return text(answered, facts) + note


def ask(
    samples: Sequence[Sample],
    questions: Trials,
    settings: Settings,
    store: Path,
    engine: Engine | None = None,
    repeats: int = 2,
) -> tuple[Trials, dict[str, Any]]:
    """Ask the judge (`settings.verify.judge`) each question `repeats` times.

    Args:
        engine: Computes the policy's log-probabilities of both answers; without it there are none.
        store: Folder of the paid answers. Each repeat has a file of its own there, so that a repeat is a new
            question and an interrupted check resumes.

    Returns:
        The trials with their verdicts, and facts: seconds, what a model's calls cost, and the merits of a
        judge that is weighed by them, from the first repeat.
    """
    by_id = {s.id: s for s in samples}
    rows = [by_id[t.sample_id].model_copy(update={"label": t.label}) for t in questions]
    name, started = settings.verify.judge, time.monotonic()
    judge, measure = find_judge(name), find_measure(name)
    labels, predictions = _logprobs(rows, questions, engine)
    cases = [Case(row, t.prediction, p) for row, t, p in zip(rows, questions, predictions, strict=True)]
    facts: dict[str, Any] = {"judge": name, "policy": engine is not None, "repeats": repeats}
    known = [Known(case, t.expected, t.sample_id) for case, t in zip(cases, questions, strict=True)]
    answers: list[list[Verdict]] = []
    with bar(repeats * len(cases), "judge-check", "question") as shown:
        for r in range(1, repeats + 1):
            judged = partial(shown.update, 1)
            context = Context(settings, store / f"calls-{r}.sqlite", lambda: labels, {}, judged=judged)
            if measure is None:
                answers.append(judge(cases, context))
            else:
                verdicts, merits = measure(known, context)
                answers.append(verdicts)
                facts.setdefault("merits", merits)
            if context.facts:
                facts[f"repeat_{r}"] = context.facts
            shown.update(r * len(cases) - shown.n)  # a judge that asks a model says how far it is itself
    facts["seconds"] = round(time.monotonic() - started, 2)
    answered = [
        t.model_copy(
            update={
                "verdicts": tuple(verdicts[i].verdict or "unjudged" for verdicts in answers),
                "rationale": answers[0][i].rationale,
                "for_label": answers[0][i].for_label,
                "for_prediction": answers[0][i].for_prediction,
            }
        )
        for i, t in enumerate(questions)
    ]
    return Trials(answered), facts


def _logprobs(
    rows: Sequence[Sample], questions: Trials, engine: Engine | None
) -> tuple[list[Logprobs], list[Logprobs]]:
    """The policy's log-probabilities of labels and predictions; all None without a policy."""
    labels: list[Logprobs] = []
    predictions: list[Logprobs] = []
    if engine is None:
        return [None] * len(rows), [None] * len(rows)
    with bar(len(rows), "judge-check", "trial") as shown:
        for at in range(0, len(rows), CHUNK):
            batch, asked = rows[at : at + CHUNK], questions[at : at + CHUNK]
            # Both answers of a trial in one call: an engine computes their common prompt once.
            said = [s.label for s in batch] + [t.prediction for t in asked]
            scores = engine.score([*batch, *batch], said)
            labels += scores[: len(batch)]
            predictions += scores[len(batch) :]
            shown.update(len(batch))
    return labels, predictions


def card(answered: Iterable[Trial]) -> list[CardRow]:
    """One row a kind of error, then `all` of them."""
    groups: dict[str, list[Trial]] = {kind: [] for kind in (*KINDS, "other_words")}
    everything: list[Trial] = []
    for t in answered:
        groups[t.kind].append(t)
        everything.append(t)
    return [_row(kind, rows) for kind, rows in (*groups.items(), ("all", everything)) if rows]


def _share(rows: Sequence[Trial], true: Callable[[Trial], bool]) -> Share:
    return share([true(t) for t in rows])


def _row(kind: str, rows: Sequence[Trial]) -> CardRow:
    flagged = [t for t in rows if t.verdict == "LABEL_WRONG"]
    correctable = [t for t in rows if t.expected == "LABEL_WRONG"]
    return CardRow(
        kind=kind,
        trials=len(rows),
        precision=_share(flagged, lambda t: t.expected == "LABEL_WRONG"),
        recall=_share(correctable, lambda t: t.verdict == "LABEL_WRONG"),
        abstention=_share(rows, lambda t: t.verdict == "unjudged"),
        right=_share(rows, lambda t: t.verdict == t.expected),
        consistent=_share(rows, lambda t: len(set(t.verdicts)) == 1),
    )


def trusted(answered: Sequence[Trial]) -> dict[str, Share]:
    """Count right labels before and after trusting the judge.

    Labels right before, and among those kept after. LABEL_WRONG relabels, BOTH_WRONG and unjudged drop,
    the rest stays. `mirrored`: of the pairs of one error on either side, those judged as mirror images (a
    judge that leans to a side does not).
    """
    kept = [t for t in answered if t.verdict in ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT")]

    def right_after(t: Trial) -> bool:
        return t.expected == "BOTH_CORRECT" or t.expected == (
            "LABEL_WRONG" if t.verdict == "LABEL_WRONG" else "PRED_WRONG"
        )

    sides: dict[tuple[str, str], dict[str, Trial]] = {}
    for t in answered:
        if t.expected in ("LABEL_WRONG", "PRED_WRONG"):
            sides.setdefault((t.sample_id, t.kind), {})[t.expected] = t
    swap = {"LABEL_WRONG": "PRED_WRONG", "PRED_WRONG": "LABEL_WRONG"}
    pairs = [p["LABEL_WRONG"] for p in sides.values() if len(p) == 2]
    return {
        "before": _share(answered, lambda t: t.expected in ("PRED_WRONG", "BOTH_CORRECT")),
        "after": _share(kept, right_after),
        "mirrored": _share(
            pairs,
            lambda t: swap.get(t.verdict, t.verdict) == sides[t.sample_id, t.kind]["PRED_WRONG"].verdict,
        ),
    }


def precision_at(answered: Sequence[Trial], share: float = SHARE) -> float:
    """Precision of LABEL_WRONG where a share s of labels is wrong.

    One answer is always right. 1 where no verdict is LABEL_WRONG. s a / (s a + (1 - s) b), with a and b the
    rates of LABEL_WRONG on wrong and on right labels.
    """
    rates = []
    for expected in ("LABEL_WRONG", "PRED_WRONG"):
        rows = [t for t in answered if t.expected == expected]
        rates.append(sum(t.verdict == "LABEL_WRONG" for t in rows) / len(rows) if rows else 0.0)
    flagged = share * rates[0] + (1 - share) * rates[1]
    return share * rates[0] / flagged if flagged else 1.0


def text(answered: Sequence[Trial], facts: dict[str, Any]) -> str:
    """The card as a Markdown table with the lines below it."""
    lines = [
        "| kind | trials | precision | recall | left unjudged | right verdict | same in repeats |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.kind} | {r.trials} | {r.precision} | {r.recall} | {r.abstention} | {r.right} |"
        f" {r.consistent} |"
        for r in card(answered)
    ]
    return "\n".join([*lines, "", *summary(answered, facts), *_reliability(answered)])


def _reliability(answered: Sequence[Trial]) -> list[str]:
    """The reliability table as lines; none where the judge gives no probabilities."""
    rows = reliability(answered)
    head = ["", "| probability of right | answers | mean said | right |", "|---|---|---|---|"]
    cells = [f"| {r.low:.2f} to {r.high:.2f} | {r.answers} | {r.said:.2f} | {r.right:.2f} |" for r in rows]
    return [*head, *cells] if rows else []


def summary(answered: Sequence[Trial], facts: dict[str, Any]) -> list[str]:
    """Say what obeying the judge would do, and what asking cost."""
    told = trusted(answered)
    kept, n = told["after"].n, told["before"].n
    costs = [
        j for r in range(facts.get("repeats", 0)) for j in facts.get(f"repeat_{r + 1}", {}).get("judges", [])
    ]
    lines = [
        f"Many labels of this test are wrong on purpose: {told['before'].percent} are right. If the judge is"
        f" obeyed, {told['after'].percent} of the {kept:,} (of {n:,}) that remain are (more is better)."
    ]
    lines += [worth_words(answered), missed_words([(r.kind, r.recall) for r in card(answered)[:-1]])]
    lines += [
        f"Precision of LABEL_WRONG where {SHARE:.0%} of labels are wrong: {precision_at(answered):.2f} (1 is"
        " best; it says nothing of what is missed)."
    ]
    lines += [f"Right labels thrown away or replaced: {discarded(answered)} (0 is best)."]
    lines += [
        f"Label and prediction swapped, the verdict swaps too in {told['mirrored']} of"
        f" {told['mirrored'].n:,} pairs (1 is best; in the others it favours one side, or leaves one open)."
    ]
    for c in costs:
        calls, tokens = c["answered"] + c["failed"], c["tokens_in"] + c["tokens_out"]
        lines += [
            f"{c['model']}: {calls} calls, {tokens} tokens; {c['votes_without_verdict']} of {c['votes']}"
            " votes fell (order or form)."
        ]
    if "merits" in facts:
        told = facts["merits"]
        lines += [
            f"Fitted weights: {told['evidence']:.1f} of the evidence, {told['model']:.1f} of"
            f" {', '.join(told['models'])}; each trial is judged by those that the other samples gave."
        ]
    if "seconds" in facts:
        lines += [f"{facts['seconds']:.1f} s for {facts['repeats']} x {n} questions."]
    return lines


def right_samples(pool: Iterable[Sample], truth: dict[str, Label]) -> Samples:
    """The pool's calls and questions under their true labels.

    Other replies have no error of these kinds. A label that breaks its own schema is left out: it is not
    known to be right.
    """
    rows = (s.model_copy(update={"label": truth[s.id]}) if s.id in truth else s for s in pool)
    return Samples(
        s
        for s in rows
        if s.label.asks or s.label.calls and not any(call_errors(c, s.tools) for c in s.label.calls)
    )
