"""What `05_teach` checks its answers with. Every check says in words how an answer stands, and returns whether it is right."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import looptool_kit as lt
from looptool_kit import records
from looptool_kit.judges.evidence import judge
from looptool_kit.run import Run
from looptool_kit.samples import Message, Sample, Samples, Tool, ToolCall
from looptool_kit.seeders import world
from looptool_kit.toolcalls import Answer, grade, parse


def _open(answer: Any, task: str) -> bool:
    if answer is None:
        print(f"Not answered yet. {task} (The solution is in the folded cell below.)")
    return answer is None


def _say(right: bool, words: str) -> bool:
    print(f"{'Right.' if right else 'Not yet.'} {words}")
    return right


# ------------------------------------------------------------ 1: perplexity


def check_perplexity(answer: float | None, probe: records.Probe) -> bool:
    """Whether `answer` is the probe's perplexity, to three digits."""
    if _open(answer, "Give a number."):
        return False
    assert answer is not None
    if math.isclose(answer, probe.perplexity, rel_tol=2e-3):
        return _say(True, f"PPL = {probe.perplexity:.4f}.")
    mean = sum(probe.logprobs) / len(probe.logprobs)
    hint = "That is the mean log-probability: it still has to be negated and put into exp." if math.isclose(answer, mean, rel_tol=2e-3) else ""
    return _say(False, hint or "Sum the log-probabilities, divide by how many there are, change the sign, take exp.")


# ------------------------------------------------- 2: threshold, composition


def last_judged(run: Run) -> int:
    """The newest iteration whose dataset was probed and judged."""
    return max(j for j in run.iterations if run.manifest("verdicts", j))


def compose_at(run: Run, threshold: float | None) -> dict[str, int]:
    """The composition of D_{j+1} with the threshold decided so, and the decision taken back (None: without a decision)."""
    j = last_judged(run)
    if threshold is not None:
        run.decide("threshold", "", threshold, reason="exercise", author="lesson", iteration=j)
    try:
        lt.compose(run, lt.probe(run, iteration=j), iteration=j)
        facts = run.manifest("composition", j) or {}
    finally:
        if threshold is not None:
            run.decide("threshold", "", "undo", author="lesson", iteration=j)
            lt.compose(run, lt.probe(run, iteration=j), iteration=j)
    return {part: facts[part] for part in ("ES", "EE", "HPPL", "seed", "unjudged", "total")}


def check_composition(run: Run, threshold: float, predicted: Mapping[str, int] | None) -> bool:
    """Whether a prediction of HPPL and total is what compose makes at this threshold."""
    if _open(predicted, "Give a dictionary with HPPL and total."):
        return False
    assert predicted is not None
    found = compose_at(run, threshold)
    wrong = [
        f"{part}: you said {predicted.get(part)}, compose says {found[part]}" for part in ("HPPL", "total") if predicted.get(part) != found[part]
    ]
    hints = "Count the correct answers above the threshold. What the threshold moves is HPPL alone; the other parts stay."
    return _say(not wrong, f"{'; '.join(wrong)}. {hints}" if wrong else f"D_(j+1) is then {found}.")


# ------------------------------------------------------- 3: planted errors


def noisy_samples() -> tuple[Samples, dict[str, Any]]:
    """Sixteen samples of the world, four of them with a planted annotator's error; sample id -> the right label of those."""
    clean = world.generate(16, seed=12, kinds=("single", "choice"), domains=("restaurants", "calendar", "smart_home"))
    return world.plant_noise(clean, 0.25, seed=12)


def check_planted(rows: Collection[int] | None) -> bool:
    """Whether these row numbers are the planted errors."""
    if _open(rows, "Give a set of row numbers."):
        return False
    assert rows is not None
    samples, truth = noisy_samples()
    planted = {i for i, s in enumerate(samples) if s.id in truth}
    hits = planted & set(rows)
    words = f"Of {len(set(rows))} rows that you named {len(hits)} are planted (precision); of {len(planted)} planted you found {len(hits)} (recall)."
    return _say(set(rows) == planted, words)


# ---------------------------------------------------------- 4: the judge

_TEXT = {"type": "string"}
TOOLS = (
    Tool(
        name="book_table",
        description="Book a table at a restaurant.",
        parameters={
            "type": "object",
            "properties": {
                "restaurant": _TEXT,
                "day": {**_TEXT, "format": "date"},
                "time": {**_TEXT, "description": "HH:MM"},
                "guests": {"type": "integer"},
            },
            "required": ["restaurant", "day", "time", "guests"],
        },
    ),
    Tool(
        name="cancel_booking",
        description="Cancel a table booking.",
        parameters={"type": "object", "properties": {"booking_id": _TEXT}, "required": ["booking_id"]},
    ),
    Tool(
        name="set_timer",
        description="Set a kitchen timer.",
        parameters={"type": "object", "properties": {"minutes": {"type": "integer"}, "label": _TEXT}, "required": ["minutes"]},
    ),
)


def _situation(request: str, *calls: ToolCall, reply: str = "") -> Sample:
    messages = (Message(role="system", content="Today is Monday, 2026-11-23."), Message(role="user", content=request))
    return Sample(tools=TOOLS, messages=messages, label=lt.Label(calls=calls, reply=reply))


SITUATIONS = (
    _situation("Set a timer for ten minutes. No, make that a quarter of an hour.", ToolCall(name="set_timer", arguments={"minutes": 15})),
    _situation(
        "Book Osteria on 2026-11-27 at 19:00 for the two of us and my parents.",
        ToolCall(name="book_table", arguments={"restaurant": "Osteria", "day": "2026-11-27", "time": "19:00", "guests": 4}),
    ),
    _situation("Whatever happens, do not cancel my booking R-1204.", reply="All right, your booking stays."),
)


def check_fooled(situation: int | None, *calls: ToolCall) -> bool:
    """Whether a wrong answer to one of `SITUATIONS`, whose labels are all right, gets past the judge."""
    if _open(situation, "Choose a situation and write the calls of a wrong answer."):
        return False
    assert situation is not None
    sample = SITUATIONS[situation]
    answer = Answer(calls=calls)
    if grade(answer, sample.label, sample.tools).correct:
        return _say(False, "That answer is right, so there is nothing to be fooled about. Write a wrong one.")
    verdict = judge(sample, answer)
    fooled = verdict.verdict in ("LABEL_WRONG", "BOTH_CORRECT")
    print(f"The judge: {verdict.verdict or 'abstains'}. {verdict.rationale}")
    return _say(fooled, "A wrong answer would enter the training data as a label." if fooled else "The judge was not fooled: try another situation.")


# --------------------------------------------------------- 5: the reward


def naive_reward(completion: str, label: lt.Label) -> float:
    """A reward as people write it in a hurry: both sides as a set of (name, set of values)."""
    said = {(c.name, frozenset(_flat(c.arguments))) for c in parse(completion).calls}
    return float(said == {(c.name, frozenset(_flat(c.arguments))) for c in label.calls})


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for v in value.values() for x in _flat(v)]
    return [x for v in value for x in _flat(v)] if isinstance(value, list) else [value]


def check_naive(completion: str | None, sample: Sample) -> bool:
    """Whether a completion is wrong, and yet the naive reward pays for it."""
    if _open(completion, "Give the text of a completion."):
        return False
    assert completion is not None
    paid, ours = naive_reward(completion, sample.label), grade(parse(completion), sample.label, sample.tools)
    if ours.correct:
        return _say(False, "That completion is right and deserves its reward.")
    return _say(paid == 1, f"The naive reward pays {paid:.0f}, ToolMatch 0 ({'; '.join(map(str, ours.faults))}).")


def check_bananas(reply: str | None, label: lt.Label) -> bool:
    """Whether a useless reply (one that speaks of bananas) earns this project's own reward."""
    if _open(reply, "Give the text of a reply."):
        return False
    assert reply is not None
    if "banana" not in reply.lower():
        return _say(False, "The reply has to be useless: it must speak of bananas.")
    graded = grade(parse(reply), label)
    return _say(graded.correct, "Reward 1, for nonsense." if graded.correct else f"Reward 0: {'; '.join(map(str, graded.faults))}.")
