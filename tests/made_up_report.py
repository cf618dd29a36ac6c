"""A plausible run for the report, all of it invented."""

from __future__ import annotations

import random
from typing import Any

from looptool_kit.core.grading import Grade, grade
from looptool_kit.core.records import (
    VERDICTS,
    Check,
    Expansion,
    Expansions,
    Probe,
    Probes,
    Score,
    Verdict,
    Verdicts,
)
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, render_answer
from looptool_kit.report.data import Decided, IterationData, ReportData, ToolUse
from looptool_kit.report.flow import flow_map

TOOLS = [
    (
        "book_table",
        "Book a table at a restaurant.",
        {"restaurant": "string", "people": "integer", "date": "string"},
    ),
    ("get_weather", "Current weather in a city.", {"city": "string", "unit": "string"}),
    (
        "convert_currency",
        "Convert an amount of money.",
        {"amount": "number", "from_currency": "string", "to_currency": "string"},
    ),
    ("set_alarm", "Set an alarm.", {"time": "string", "label": "string"}),
    (
        "search_flights",
        "Find flights between two airports.",
        {"origin": "string", "destination": "string", "date": "string"},
    ),
    ("send_message", "Send a message to a contact.", {"recipient": "string", "text": "string"}),
    (
        "create_calendar_event",
        "Add an event to the calendar.",
        {"title": "string", "start": "string", "minutes": "integer"},
    ),
    ("play_music", "Play a song, an album or an artist.", {"query": "string", "shuffle": "boolean"}),
]
WORDS = [
    "Lucia's",
    "Oslo",
    "Lisbon",
    "2026-03-14",
    "07:30",
    "standup",
    "Marta",
    "EUR",
    "USD",
    "blue note",
    "metric",
    "ARN",
    "JFK",
]


POLICIES = ("base", "warm start", "iteration 1", "iteration 2", "control")


def made_up_report(evil: str = "", samples: int = 240) -> ReportData:
    """The run; `evil` is planted wherever a model or a dataset can put text."""
    rng = random.Random(7)
    iterations = [_iteration(rng, j, samples, evil) for j in (1, 2)]
    scores = _scores(rng)
    timings = [
        {"stage": s, "iteration": j, "seconds": t * rng.uniform(0.8, 1.3)}
        for j in (1, 2)
        for s, t in (
            ("train", 210),
            ("evaluate", 95),
            ("probe", 100),
            ("verify", 14),
            ("expand", 3),
            ("compose", 0.4),
        )
    ]
    timings.insert(0, {"stage": "seed", "iteration": 0, "seconds": 4.2})
    compositions = [
        {"dataset": "D1", "ES": 0, "EE": 0, "HPPL": 0, "seed": 320, "unjudged": 0, "total": 320},
        {"dataset": "D2", "ES": 71, "EE": 142, "HPPL": 64, "seed": 64, "unjudged": 12, "total": 353},
        {"dataset": "D3", "ES": 58, "EE": 116, "HPPL": 64, "seed": 32, "unjudged": 9, "total": 279},
    ]
    settings: dict[str, Any] = {
        "preset": "cpu",
        "model": f"SmolLM2-135M-Instruct {evil}",
        "seed": 0,
        "versions": "torch 2.13.0, trl 1.14.2",
        "grpo": {"steps": 8, "group": 8, "prompts": 4, "note": evil},
    }
    noise = {"planted": 30, "flagged": 22, "right": 21, "judged": 150, "unjudged": 31}
    return ReportData(
        f"tour {evil}".strip(),
        settings,
        iterations,
        scores,
        list(POLICIES),
        compositions,
        noise,
        timings,
        verdict=[f"By the development samples D2 is best {evil}.", "Exact match on 60 unseen requests: 40%."],
        flow=flow_map({("D1/part/seed", "D1/state/failed"): 9}, {"D1/part/seed": 9}, [1]),
        decided=[Decided("verdict", "LABEL_WRONG", "ada 2", 2, [f"the date is wrong {evil}"])],
        made_with=[("command", f"looptool loop runs/again {evil}"), ("torch", "2.13.0")],
        tools=[ToolUse(f"{name} {evil}", f"{words} {evil}", 20, 4) for name, words, _ in TOOLS],
    )


def _iteration(rng: random.Random, j: int, samples: int, evil: str) -> IterationData:
    rows, probes, verdicts, children = [], [], [], []
    for i in range(samples):
        sample = _sample(rng, i, j, evil)
        probe = _probe(rng, sample, evil)
        rows.append(sample)
        probes.append(probe)
        if probe.state == "failed":
            verdicts.append(_verdict(rng, sample, evil))
            children += [_child(rng, sample, strategy, evil) for strategy in ("world", "slots")]
    return IterationData(
        Samples(rows), Probes(probes), Verdicts(verdicts), Expansions(children), _history(rng, j), 1.06
    )


def _sample(rng: random.Random, i: int, j: int, evil: str) -> Sample:
    name, words, parameters = rng.choice(TOOLS)
    offered = {t[0]: t for t in [(name, words, parameters), *rng.sample(TOOLS, 3)]}.values()
    tools = tuple(
        Tool(
            name=n,
            description=d,
            parameters={
                "type": "object",
                "properties": {k: {"type": t} for k, t in p.items()},
                "required": list(p),
            },
        )
        for n, d, p in offered
    )
    values: dict[str, Any] = {
        "integer": lambda: rng.randint(1, 9),
        "number": lambda: rng.choice([12.5, 40, 99]),
        "boolean": lambda: rng.random() < 0.5,
    }
    arguments = {k: values.get(t, lambda: rng.choice(WORDS))() for k, t in parameters.items()}
    given = ", ".join(f"{k} {v}" for k, v in arguments.items())
    request = f"{words[:-1]} please, with {given} (number {i}). {evil}"
    return Sample(
        tools=tools,
        messages=(Message(role="user", content=request),),
        label=Label(calls=(ToolCall(name=name, arguments=arguments),)),
        kind="single",
        iteration=j,
    )


def _probe(rng: random.Random, sample: Sample, evil: str) -> Probe:
    (call,) = sample.label.calls
    answer, finish = Answer(calls=(call,)), "stop"
    if rng.random() < 0.5 - 0.12 * sample.iteration:
        key = rng.choice(list(call.arguments))
        wrong = (
            {**call.arguments, key: evil or "2026-03-15"}
            if rng.random() < 0.7
            else {k: v for k, v in call.arguments.items() if k != key}
        )
        named = evil or rng.choice(TOOLS)[0]
        answer = Answer(calls=(ToolCall(name=call.name if rng.random() < 0.8 else named, arguments=wrong),))
        if rng.random() < 0.15:
            answer, finish = Answer(error="truncated", detail=f"no closing tag {evil}"), "length"
    graded: Grade = grade(answer, sample.label, sample.tools)
    perplexity = 1 + rng.lognormvariate(-3.2 if graded.correct else -1.8, 1.0)
    state = "failed" if not graded.correct else "borderline" if perplexity > 1.06 else "mastered"
    text = (f'<tool_call>{{"name": "{call.name}", ' if answer.error else render_answer(answer)) + evil
    facts: dict[str, Any] = {"finish_reason": finish, "state": state}
    return Probe(
        sample_id=sample.id,
        iteration=sample.iteration,
        text=text,
        perplexity=perplexity,
        match=graded.match,
        correct=graded.correct,
        answer=answer,
        faults=graded.faults,
        **facts,
    )


def _verdict(rng: random.Random, sample: Sample, evil: str) -> Verdict:
    known = rng.random() < 0.8
    return Verdict(
        sample_id=sample.id,
        iteration=sample.iteration,
        status="judged" if known else "unjudged",
        verdict=rng.choices(VERDICTS, [8, 2, 0.5, 0.5])[0] if known else None,
        rationale=(
            f"The request names the value of the label; the prediction's is not in the dialogue. {evil}"
        ),
        judge="evidence",
    )


def _child(rng: random.Random, sample: Sample, strategy: str, evil: str) -> Expansion:
    good = rng.random() < 0.7
    checks = (Check(name="schema", passed=True), Check(name=f"near_duplicate{evil}", passed=good))
    return Expansion(
        seed_id=sample.id,
        iteration=sample.iteration,
        sample=sample,
        strategy=strategy,
        checks=checks,
        accepted=good,
    )


def _history(rng: random.Random, j: int) -> list[dict[str, Any]]:
    sft: list[dict[str, Any]] = [
        {"loss": 2.2 / j * 0.9**s + 0.05 * rng.random(), "step": s, "trainer": "sft"} for s in range(1, 25)
    ]
    grpo = [
        {
            "loss": rng.gauss(0, 0.02),
            "reward": min(1, 0.4 + 0.02 * s + rng.gauss(0, 0.08)),
            "step": s,
            "completions/mean_length": 42 + rng.gauss(0, 3),
            "frac_reward_zero_std": rng.choice([0.25, 0.5, 0.75]),
        }
        for s in range(1, 9)
    ]
    return sft + grpo


def _scores(rng: random.Random) -> list[Score]:
    scores = []
    for p, policy in enumerate(POLICIES):
        for split, shift in (("unseen_values", 0.05), ("unseen_phrasings", 0.0), ("unseen_tools", -0.15)):
            for i in range(60):
                correct = rng.random() < max(0, [0, 0.52, 0.6, 0.68, 0.61][p % 5] + shift)
                kind = ("single", "choice", "parallel", "ask", "decline")[i % 5]
                scores.append(
                    Score(
                        sample_id=f"{split}-{i}",
                        suite="held-out",
                        split=split,
                        kind=kind,
                        policy=policy,
                        correct=correct,
                    )
                )
    return scores
