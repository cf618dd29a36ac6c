"""The checks of `05_teach`: each prints whether an answer is right, and returns it.

No check shows a right answer; `solution(3)` does, when it is called. The solutions are at the end, in base64,
so that nobody reads one by chance. `python notebooks/lesson.py < solution.py` encodes one.
"""

from __future__ import annotations

import base64
import math
import sys
import textwrap
from collections.abc import Collection, Mapping
from numbers import Real
from typing import Any

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.core import records
from looptool_kit.stages.verify.evidence import judge_one


def _open(exercise: str, answer: Any, task: str) -> bool:
    if answer is None:
        print(
            f"Exercise {exercise} waits for your answer. {task} Write it in the cell above and run both. Take"
            " your time."
        )
    return answer is None


def _say(right: bool, words: str) -> bool:
    print(f"{'Right.' if right else 'Not yet.'} {words}")
    return right


# ------------------------------------------------------------ 1: perplexity


def check_perplexity(answer: float | None, probe: records.Probe) -> bool:
    """Whether `answer` is the probe's perplexity, to three digits."""
    if _open("1", answer, "Give a number."):
        return False
    if not isinstance(answer, Real):
        return _say(False, "Give a number, as 1.5 or a formula in Python.")
    if math.isclose(answer, probe.perplexity, rel_tol=2e-3):
        return _say(True, f"PPL = {probe.perplexity:.4f}.")
    if math.isclose(answer, probe.perplexity, rel_tol=2e-2):
        return _say(False, "That is near: give three decimals.")
    mean = sum(probe.logprobs) / len(probe.logprobs)
    hint = (
        "That is the mean log-probability: it still has to be negated and put into exp."
        if math.isclose(answer, mean, rel_tol=2e-3)
        else ""
    )
    return _say(
        False, hint or "Sum the log-probabilities, divide by how many there are, change the sign, take exp."
    )


# ------------------------------------------------- 2: threshold, composition


def last_judged(run: lt.Run) -> int:
    """The newest iteration whose dataset was probed and judged."""
    return max(j for j in run.iterations if run.manifest("verdicts", j))


def compose_at(run: lt.Run, threshold: float | None) -> dict[str, int]:
    """The composition of D_{j+1} at a threshold.

    The threshold is decided on the run, and taken back afterwards; None: without a decision.
    """
    j, aloud = last_judged(run), run.announce
    if threshold is not None:
        run.decide("threshold", "", threshold, reason="exercise", author="lesson", iteration=j)
    run.announce = lambda _: None  # that something is made again is no news here
    try:
        lt.compose(run, lt.probe(run, iteration=j), iteration=j)
        facts = run.manifest("composition", j) or {}
    finally:
        if threshold is not None:
            run.decide("threshold", "", "undo", author="lesson", iteration=j)
            lt.compose(run, lt.probe(run, iteration=j), iteration=j)
        run.announce = aloud
    return {part: facts[part] for part in (*records.PARTS, "total") if part in facts}


def check_composition(run: lt.Run, threshold: float, predicted: Mapping[str, int] | None) -> bool:
    """Tell whether a prediction is what compose makes.

    Of HPPL and total, at this threshold.
    """
    if _open("2", predicted, 'Give a dictionary: {"HPPL": ..., "total": ...}.'):
        return False
    if not isinstance(threshold, Real) or not math.isfinite(threshold):
        return _say(False, "The threshold is a number, as 1.0.")
    if not isinstance(predicted, Mapping) or not all(
        isinstance(predicted.get(part), Real) for part in ("HPPL", "total")
    ):
        return _say(False, 'Give a dictionary with two numbers: {"HPPL": ..., "total": ...}.')
    actual = compose_at(run, threshold)
    wrong = [
        f"{part} is {'more' if actual[part] > predicted[part] else 'fewer'} than {predicted[part]}"
        for part in ("HPPL", "total")
        if predicted[part] != actual[part]
    ]
    limit = run.settings.compose.hppl
    hints = (
        "Count the correct answers and BOTH_CORRECT rows above the threshold; HPPL holds at most"
        f" {limit}. What the threshold moves is HPPL alone; the other parts stay."
    )
    return _say(not wrong, f"{'; '.join(wrong)}. {hints}" if wrong else f"D_(j+1) is then {actual}.")


# ------------------------------------------------------- 3: planted errors


def noisy_samples() -> tuple[lt.Samples, dict[str, Any]]:
    """Return sixteen samples of the world, four with planted errors.

    With the right labels of those four, by id.
    """
    clean = world.generate(
        16, seed=12, kinds=("single", "choice"), domains=("restaurants", "calendar", "smart_home")
    )
    return world.plant_noise(clean, 0.25, seed=12)


def right_samples() -> lt.Samples:
    """Sixteen other samples of the same kinds, whose labels are all right."""
    return world.generate(
        16, seed=13, kinds=("single", "choice"), domains=("restaurants", "calendar", "smart_home")
    )


def check_planted(rows: Collection[int] | None) -> bool:
    """Whether these row numbers are the planted errors."""
    if _open("3", rows, "Give a set of row numbers."):
        return False
    samples, truth = noisy_samples()
    if (
        not isinstance(rows, Collection)
        or isinstance(rows, str)
        or not all(i in range(len(samples)) for i in rows)
    ):
        return _say(False, f"Give a set of row numbers from 0 to {len(samples) - 1}, as {{0, 1}}.")
    planted = {i for i, s in enumerate(samples) if s.id in truth}
    hits = planted & set(rows)
    words = (
        f"Of {len(set(rows))} rows that you named {len(hits)} are planted (precision); of {len(planted)}"
        f" planted you found {len(hits)} (recall)."
    )
    return _say(set(rows) == planted, words)


# ---------------------------------------------------------- 4: the judge

_TEXT = {"type": "string"}
TOOLS = (
    lt.Tool(
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
    lt.Tool(
        name="cancel_booking",
        description="Cancel a table booking.",
        parameters={"type": "object", "properties": {"booking_id": _TEXT}, "required": ["booking_id"]},
    ),
    lt.Tool(
        name="set_timer",
        description="Set a kitchen timer.",
        parameters={
            "type": "object",
            "properties": {"minutes": {"type": "integer"}, "label": _TEXT},
            "required": ["minutes"],
        },
    ),
)


def _situation(request: str, *calls: lt.ToolCall, reply: str = "") -> lt.Sample:
    messages = (
        lt.Message(role="system", content="Today is Monday, 2026-11-23."),
        lt.Message(role="user", content=request),
    )
    return lt.Sample(tools=TOOLS, messages=messages, label=lt.Label(calls=calls, reply=reply))


SITUATIONS = (
    _situation(
        "Set a timer for ten minutes. No, make that a quarter of an hour.",
        lt.ToolCall(name="set_timer", arguments={"minutes": 15}),
    ),
    _situation(
        "Book Osteria on 2026-11-27 at 19:00 for the two of us and my parents.",
        lt.ToolCall(
            name="book_table",
            arguments={"restaurant": "Osteria", "day": "2026-11-27", "time": "19:00", "guests": 4},
        ),
    ),
    _situation("Whatever happens, do not cancel my booking R-1204.", reply="All right, your booking stays."),
)


def check_fooled(situation: int | None, *calls: lt.ToolCall) -> bool:
    """Tell whether a wrong answer gets past the judge.

    An answer to one of `SITUATIONS`, whose labels are all right.
    """
    if _open("4", situation, "Choose a situation and write the calls of a wrong answer."):
        return False
    if situation not in range(len(SITUATIONS)) or not all(isinstance(c, lt.ToolCall) for c in calls):
        return _say(
            False,
            f"Give a situation from 0 to {len(SITUATIONS) - 1}, and a list of lt.ToolCall(name=...,"
            " arguments={...}).",
        )
    sample = SITUATIONS[situation]
    answer = lt.Answer(calls=calls)
    if lt.grade(answer, sample.label, sample.tools).correct:
        return _say(False, "That answer is right, so there is nothing to be fooled about. Write a wrong one.")
    verdict = judge_one(sample, answer)
    fooled = verdict.verdict in ("LABEL_WRONG", "BOTH_CORRECT")
    print(f"The judge: {verdict.verdict or 'abstains'}. {verdict.rationale}")
    return _say(
        fooled,
        (
            "A wrong answer would enter the training data as a label."
            if fooled
            else "The judge was not fooled: try another situation."
        ),
    )


# --------------------------------------------------------- 5: the reward


def naive_reward(completion: str, label: lt.Label) -> float:
    """A reward as people write it in a hurry: both sides as a set of (name, set of values)."""
    calls = {(c.name, frozenset(_flat(c.arguments))) for c in lt.parse(completion).calls}
    return float(calls == {(c.name, frozenset(_flat(c.arguments))) for c in label.calls})


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [x for v in value.values() for x in _flat(v)]
    return [x for v in value for x in _flat(v)] if isinstance(value, list) else [value]


def check_naive(completion: str | None, sample: lt.Sample) -> bool:
    """Tell whether the naive reward pays for a wrong completion."""
    if _open("5a", completion, "Give the text of a completion."):
        return False
    if not isinstance(completion, str):
        return _say(False, "Give a text: what a model would write, as '<tool_call>...</tool_call>'.")
    paid, ours = (
        naive_reward(completion, sample.label),
        lt.grade(lt.parse(completion), sample.label, sample.tools),
    )
    if ours.correct:
        return _say(False, "That completion is right and deserves its reward.")
    return _say(
        paid == 1, f"The naive reward pays {paid:.0f}, ToolMatch 0 ({'; '.join(map(str, ours.faults))})."
    )


def check_bananas(reply: str | None, label: lt.Label) -> bool:
    """Tell whether a useless reply earns this project's own reward.

    One that speaks of bananas.
    """
    if _open("5b", reply, "Give the text of a reply."):
        return False
    if not isinstance(reply, str):
        return _say(False, "Give a text, in quotation marks.")
    if "banana" not in reply.lower():
        return _say(False, "The reply has to be useless: it must speak of bananas.")
    graded = lt.grade(lt.parse(reply), label)
    return _say(
        graded.correct,
        "Reward 1, for nonsense." if graded.correct else f"Reward 0: {'; '.join(map(str, graded.faults))}.",
    )


# ---------------------------------------------------------- the solutions


def solution(exercise: int | str) -> None:
    """Print a solution of an exercise.

    For the cell of your answer: 1, 2, 3, 4, "5a" or "5b".
    """
    if str(exercise) not in SOLUTIONS:
        print(f"There is no exercise {exercise!r}. There are: {', '.join(SOLUTIONS)}.")
        return
    print(
        f"# A solution of exercise {exercise}. To try it, paste it into the cell of your"
        f" answer.\n{decoded(str(exercise))}"
    )


def decoded(exercise: str) -> str:
    """The code that answers an exercise."""
    return base64.b64decode(SOLUTIONS[exercise]).decode()


def encoded(code: str) -> str:
    """Code as it stands in `SOLUTIONS`."""
    return "\n".join(textwrap.wrap(base64.b64encode(code.encode()).decode(), 108))


SOLUTIONS = {
    "1": (
        """
IyBQUEwgPSBleHAgb2YgbWludXMgdGhlIG1lYW4gbG9nLXByb2JhYmlsaXR5LgpteV9wZXJwbGV4aXR5ID0gbWF0aC5leHAoLXN1bShsb2dw
cm9icykgLyBsZW4obG9ncHJvYnMpKQo=
"""
    ),
    "2": (
        """
IyBFdmVyeSBwZXJwbGV4aXR5IGlzIGFib3ZlIDEsIHNvIGV2ZXJ5IGNvcnJlY3QgYW5zd2VyIGJlY29tZXMgYm9yZGVybGluZSBhbmQgc3Rh
eXMuIFNvIGRvIHJvd3Mgd2hlcmUgYm90aAojIHdlcmUgY29ycmVjdC4gSFBQTCBoYXMgYW4gdXBwZXIgbGltaXQuCm15X3RocmVzaG9sZCA9
IDEuMApib3RoX2NvcnJlY3QgPSB7di5zYW1wbGVfaWQgZm9yIHYgaW4gdmVyZGljdHMgaWYgdi52ZXJkaWN0ID09ICJCT1RIX0NPUlJFQ1Qi
fQpoaWdoID0gc3VtKChwLmNvcnJlY3Qgb3IgcC5zYW1wbGVfaWQgaW4gYm90aF9jb3JyZWN0KSBhbmQgcC5wZXJwbGV4aXR5ID4gbXlfdGhy
ZXNob2xkIGZvciBwIGluIHByb2JlcykKaGlnaCA9IG1pbihoaWdoLCBydW4uc2V0dGluZ3MuY29tcG9zZS5ocHBsKQpteV9wcmVkaWN0aW9u
ID0geyJIUFBMIjogaGlnaCwgInRvdGFsIjogbm93WyJ0b3RhbCJdIC0gbm93WyJIUFBMIl0gKyBoaWdofQo=
"""
    ),
    "3": (
        """
IyBUaGUgcnVsZSB0aWVyIGZpbmRzIHdoYXQgY29udHJhZGljdHMgYSBzY2hlbWEgb3IgaXMgc2FpZCBub3doZXJlIC4uLgpmcm9tIGxvb3B0
b29sX2tpdC5jaGVja3MucnVsZXMgaW1wb3J0IGNoZWNrX3NhbXBsZQpmcm9tIGxvb3B0b29sX2tpdC5zdGFnZXMudmVyaWZ5LmV2aWRlbmNl
IGltcG9ydCBqdWRnZV9vbmUKCnRydXRoID0gbGVzc29uLm5vaXN5X3NhbXBsZXMoKVsxXQpieV9ydWxlcyA9IHtpIGZvciBpLCBzIGluIGVu
dW1lcmF0ZShzYW1wbGVzKSBpZiBub3QgYWxsKGMucGFzc2VkIGZvciBjIGluIGNoZWNrX3NhbXBsZShzKSl9CnByaW50KCJ0aGUgcnVsZXMg
ZmluZDoiLCBzb3J0ZWQoYnlfcnVsZXMpKQojIC4uLiBhbmQgdGhlIGp1ZGdlIGFsc28gd2hhdCB3YXMgbGVmdCBvdXQsIGJ1dCBvbmx5IHdo
ZXJlIHRoZSBtb2RlbCdzIGFuc3dlciBpcyByaWdodDogaGVyZSBpdCBnZXRzIHRoZSByaWdodAojIG9uZSBmb3IgZXZlcnkgcm93Lgpmb3Vu
ZCA9IFtqdWRnZV9vbmUocywgbHQuQW5zd2VyLm9mKHRydXRoLmdldChzLmlkLCBzLmxhYmVsKSkpLnZlcmRpY3QgZm9yIHMgaW4gc2FtcGxl
c10KYnlfanVkZ2UgPSB7aSBmb3IgaSwgdmVyZGljdCBpbiBlbnVtZXJhdGUoZm91bmQpIGlmIHZlcmRpY3QgPT0gIkxBQkVMX1dST05HIn0K
cHJpbnQoInRoZSBqdWRnZSBmaW5kcywgZ2l2ZW4gYSBtb2RlbCB0aGF0IGlzIGFsd2F5cyByaWdodDoiLCBzb3J0ZWQoYnlfanVkZ2UpKQpt
eV9yb3dzID0ge2kgZm9yIGksIHMgaW4gZW51bWVyYXRlKHNhbXBsZXMpIGlmIHMuaWQgaW4gdHJ1dGh9CmZvciBpIGluIHNvcnRlZChteV9y
b3dzKToKICAgIHByaW50KGksICJsYWJlbDoiLCBsdC5yZW5kZXJfYW5zd2VyKHNhbXBsZXNbaV0ubGFiZWwpLCAidHJ1dGg6IiwgbHQucmVu
ZGVyX2Fuc3dlcih0cnV0aFtzYW1wbGVzW2ldLmlkXSkpCg==
"""
    ),
    "4": (
        """
IyAwOiBhIGNvcnJlY3Rpb24gaXMgdW5kZXJzdG9vZCwgc28gdGVuIG1pbnV0ZXMgZm9vbCBub2JvZHkuCiMgMTogYSBzdW0gaXMgbm90IGRv
bmU6ICJ0d28iIGlzIHNhaWQsICJmb3VyIiBpcyBub3QuIFNvIGEgdGFibGUgZm9yIHR3byBwYXNzZXM6Cm15X3NpdHVhdGlvbiA9IDEKbXlf
Y2FsbHMgPSBbCiAgICBsdC5Ub29sQ2FsbCgKICAgICAgICBuYW1lPSJib29rX3RhYmxlIiwKICAgICAgICBhcmd1bWVudHM9eyJyZXN0YXVy
YW50IjogIk9zdGVyaWEiLCAiZGF5IjogIjIwMjYtMTEtMjciLCAidGltZSI6ICIxOTowMCIsICJndWVzdHMiOiAyfSwKICAgICkKXQpwcmlu
dCgic2l0dWF0aW9uIDE6IiwgbGVzc29uLmNoZWNrX2Zvb2xlZChteV9zaXR1YXRpb24sICpteV9jYWxscykpCiMgMjogbm9yIGlzIGEgcHJv
aGliaXRpb24gdW5kZXJzdG9vZDogdGhlIGJvb2tpbmcncyBudW1iZXIgYW5kICJjYW5jZWwiIHN0YW5kIHRoZXJlLgpteV9zaXR1YXRpb24g
PSAyCm15X2NhbGxzID0gW2x0LlRvb2xDYWxsKG5hbWU9ImNhbmNlbF9ib29raW5nIiwgYXJndW1lbnRzPXsiYm9va2luZ19pZCI6ICJSLTEy
MDQifSldCg==
"""
    ),
    "5a": (
        """
IyBBIHNldCBmb3JnZXRzIGhvdyBvZnRlbjogb25lIGNhbGwgaW5zdGVhZCBvZiB0d28uIFZhbHVlcyBzdGFuZCB3aXRob3V0IHRoZWlyIG5h
bWVzLCBhbmQgaW4gbm8gb3JkZXIuCmZpcnN0LCBzZWNvbmQgPSBkcml2ZS5sYWJlbC5jYWxscwp3YXlzID0gewogICAgIm9uZSBjYWxsIGlu
c3RlYWQgb2YgdHdvIChhIHNldCBmb3JnZXRzIGhvdyBvZnRlbikiOiAoZmlyc3QsKSwKICAgICJ0aGUgc2FtZSBzdG9wcyBpbiBhbm90aGVy
IG9yZGVyIChhIHNldCBmb3JnZXRzIG9yZGVyKSI6ICgKICAgICAgICBmaXJzdC5tb2RlbF9jb3B5KHVwZGF0ZT17ImFyZ3VtZW50cyI6IHsq
KmZpcnN0LmFyZ3VtZW50cywgInN0b3BzIjogWzMsIDJdfX0pLAogICAgICAgIHNlY29uZCwKICAgICksCiAgICAic3RhcnQgYW5kIGVuZCBz
d2FwcGVkICh2YWx1ZXMgd2l0aG91dCB0aGVpciBuYW1lcykiOiAoCiAgICAgICAgZmlyc3QubW9kZWxfY29weSh1cGRhdGU9eyJhcmd1bWVu
dHMiOiB7KipmaXJzdC5hcmd1bWVudHMsICJzdGFydCI6ICJCIiwgImVuZCI6ICJBIn19KSwKICAgICAgICBzZWNvbmQsCiAgICApLAogICAg
IjEgaW5zdGVhZCBvZiB0cnVlIChlcXVhbCBpbiBQeXRob24pIjogKAogICAgICAgIGZpcnN0Lm1vZGVsX2NvcHkodXBkYXRlPXsiYXJndW1l
bnRzIjogeyoqZmlyc3QuYXJndW1lbnRzLCAiZmFzdCI6IDF9fSksCiAgICAgICAgc2Vjb25kLAogICAgKSwKfQpmb3Igd29yZHMsIGNhbGxz
IGluIHdheXMuaXRlbXMoKToKICAgIG15X2NvbXBsZXRpb24gPSBsdC5yZW5kZXJfYW5zd2VyKGx0LkxhYmVsKGNhbGxzPWNhbGxzKSkKICAg
IHByaW50KHdvcmRzKQogICAgYXNzZXJ0IGxlc3Nvbi5jaGVja19uYWl2ZShteV9jb21wbGV0aW9uLCBkcml2ZSkK
"""
    ),
    "5b": (
        """
IyBBIHF1ZXN0aW9uIChzbyBpdCBhc2tzKSB3aXRoIGEgd29yZCBvZiBlYWNoIGdyb3VwIHRoYXQgdGhlIGxhYmVsIG5hbWVzOiAiaG93IG1h
bnkiIGFuZCAiZGF5Ii4KbXlfcmVwbHkgPSAiSG93IG1hbnkgYmFuYW5hcyBhIGRheT8iCg==
"""
    ),
}


if __name__ == "__main__":
    print(encoded(sys.stdin.read()))
