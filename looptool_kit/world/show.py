"""Read what the world writes.

`python -m looptool_kit.world.show DOMAIN [n]` checks a domain's file and prints n requests with their labels
for each of its tools. `python -m looptool_kit.world.show traces [n] [DOMAIN ...]` prints n samples of longer
tasks (`traces`), each after the rule tier and an execution again. `python -m looptool_kit.world.show episodes
[n]` plays n tasks as episodes by their own plans, in other legal orders, and with a wrong argument.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.world import generate
from looptool_kit.world.calls import Impossible
from looptool_kit.world.core import draw
from looptool_kit.world.episode import Episode, task_of
from looptool_kit.world.execute import problem
from looptool_kit.world.grammar import Scene
from looptool_kit.world.plans import KINDS_ON_ONE, askable, draw_plan, varies
from looptool_kit.world.routes import edges, open_to
from looptool_kit.world.spec import Domain, all_domains, links, reserved, slots, specs
from looptool_kit.world.tasks import sample_of
from looptool_kit.world.traces import draw_trace, replay, samples_of
from looptool_kit.world.types import Type


def faults(domain: Domain) -> list[str]:
    """What an author has to fix in a domain."""
    out = []
    for s in domain.tools:
        required = {p.name for p in s.params if not p.optional}
        for p in s.params:
            if not p.question or not p.words:
                out.append(f"{s.name}.{p.name}: no question or words to ask for it")
            elif not any(w.lower() in p.question.lower() for w in p.words):
                out.append(f"{s.name}.{p.name}: none of {p.words} occurs in {p.question!r}")
        for phrase in (*s.do, *s.ask, *s.need):
            if unknown := slots(phrase) - {p.name for p in s.params}:
                out.append(f"{s.name}: {phrase!r} names {unknown}")
            elif slots(phrase) - required:
                out.append(
                    f"{s.name}: {phrase!r} has the optional {slots(phrase) - required}; mention optional ones"
                    " by clauses only"
                )
            if phrase[0].isupper() or phrase[-1] in ".?!":
                out.append(f"{s.name}: {phrase!r} must be lower case without final punctuation")
        if len(s.do) < 4:
            out.append(f"{s.name}: fewer than 4 `do` phrases")
        if sum(slots(p) <= required for p in s.do if p not in reserved(s.do)) < 1:
            out.append(f"{s.name}: no train phrase")
        for name, t in s.out.items():
            if not isinstance(t, Type) and t[1:] not in {p.name for p in s.params}:
                out.append(f"{s.name}: output {name} gives back the unknown {t}")
    if not any(domain.tools[0].name and k[0] in {s.name for s in domain.tools} for k in links()):
        out.append("no two tools are linked by type")
    return out


def text_of(sample: Sample) -> str:
    """A sample for reading, without its tool list."""
    lines = []
    for m in sample.messages:
        text = m.content or " ".join(
            f"{c.name}({json.dumps(c.arguments, ensure_ascii=False)})" for c in m.tool_calls
        )
        lines.append(f"  {m.role:9} {text}")
    calls = " + ".join(f"{c.name}({json.dumps(c.arguments, ensure_ascii=False)})" for c in sample.label.calls)
    return "\n".join(
        [
            f"[{sample.kind}] tools: {', '.join(t.name for t in sample.tools)}",
            *lines,
            f"  => {calls or sample.label.reply}   {sample.label.mentions or ''}",
        ]
    )


def show_traces(n: int, domains: list[str]) -> int:
    """Print whole traces until they have `n` samples.

    What is wrong with any is printed too; returns how many are wrong.
    """
    rng, names = Random(7), open_to(domains)
    targets = sorted({tool for edge in edges(names) for tool in (edge.first, edge.second)})
    shown, bad, lengths = 0, 0, Counter[int]()
    while shown < n:
        trace = draw_trace(rng.choice(targets), names, (2, 6), rng)
        if trace is None:
            continue
        steps = samples_of(trace)
        print(text_of(steps[-1]))
        wrong = [c.detail for step in steps for c in check_sample(step) if not c.passed]
        said = [json.loads(m.content) for m in steps[-1].messages if m.role == "tool"]
        wrong += ["executed again it gives other results"] * (replay(steps[-1]) != said)
        for w in wrong:
            print("!", w)
        shown, bad, lengths = shown + len(steps), bad + len(wrong), lengths + Counter([len(trace.calls)])
    count = ", ".join(f"{calls} calls {number}" for calls, number in sorted(lengths.items()))
    print(f"{shown} samples of {lengths.total()} traces ({count}): {bad} faults")
    return bad


def show_episodes(n: int) -> int:
    """Play tasks by what is right and by what is not.

    Returns how many rewards are not as they must be.
    """
    rng, counts, bad = Random(7), Counter[str](), 0

    def played(kind: str, episode: Episode, turns: Sequence[Sequence[ToolCall]], due: float) -> int:
        episode.reset()
        for calls in turns:
            episode.step(calls)
        counts[f"{kind} earns {episode.reward():g}"] += 1
        return episode.reward() != due

    for sample in generate(4 * n, seed=7):
        try:
            episode = Episode(task := task_of(sample))
        except ValueError:  # a question, a request to decline, a first step alone
            continue
        if counts["its own plan earns 1"] == n:
            break
        plan = [told.call for told in task.plan]
        bad += played("its own plan", episode, [[c] for c in plan], 1)
        if sample.kind == "parallel":
            bad += played("another legal order", episode, [[c] for c in reversed(plan)], 1)
            bad += played("all at once", episode, [plan], 1)
        params = specs()[plan[-1].name].by_name
        for name, value in plan[-1].arguments.items():
            other = draw(params[name].type, rng, task.today)
            if other not in (value, params[name].default):
                wrong = plan[-1].model_copy(update={"arguments": {**plan[-1].arguments, name: other}})
                bad += played("a wrong argument", episode, [[c] for c in (*plan[:-1], wrong)], 0)
                break
    print(*(f"{what}: {count} episodes" for what, count in sorted(counts.items())), sep="\n")
    return bad


def main(argv: list[str]) -> int:
    """Check and print the named domains, traces or episodes."""
    if argv[:1] == ["episodes"]:
        return 1 if show_episodes(int(argv[1]) if len(argv) > 1 else 100) else 0
    if argv[:1] == ["traces"]:
        return 1 if show_traces(int(argv[1]) if len(argv) > 1 else 40, argv[2:]) else 0
    n = int(argv[1]) if len(argv) > 1 else 8
    domains = [d for d in all_domains() if not argv or d.name == argv[0]]
    if not domains:
        print(f"there is no domain {argv[0]!r}; there are {', '.join(d.name for d in all_domains())}")
        return 1
    rng, bad = Random(7), 0
    for domain in domains:
        problems = faults(domain)
        bad += len(problems)
        print(
            f"== {domain.name}: {len(domain.tools)} tools, links:"
            f" {[k for k in links() if k[0] in {s.name for s in domain.tools}]}",
            *problems,
            sep="\n! " if problems else "\n",
        )
        for s in domain.tools:
            size = len(json.dumps(s.tool.model_dump()))
            asks, turns = (
                [p.name for p in s.params if askable(s, p, [s])],
                [p.name for p in s.params if varies(s, p)],
            )
            print(
                f"\n-- {s.name}: {size} characters ({size // 4} tokens or so); asks for {asks}, varies"
                f" {turns}"
            )
            for i in range(n):
                bad += _try(KINDS_ON_ONE[i % len(KINDS_ON_ONE)], [s], rng)
        print()
        for _ in range(2 * n):
            bad += _try(
                rng.choice(["multi_step", "multi_turn", "parallel"]),
                rng.sample(domain.tools, min(4, len(domain.tools))),
                rng,
            )
    return 1 if bad else 0


def _try(kind: str, tools: list, rng: Random) -> int:  # type: ignore[type-arg]
    scene = Scene(rng, date(2026, 1, 1) + timedelta(days=rng.randrange(365)), unseen=rng.random() < 0.25)
    try:
        sample = sample_of(draw_plan(kind, tools, "train", rng, Counter()), tools, scene, "train")
    except Impossible:
        return 0
    print(text_of(sample))
    wrong = [
        w
        for c in (*sample.label.calls, *(c for m in sample.messages for c in m.tool_calls))
        if (w := problem(c))
    ]
    wrong += (
        ["a slot is left in the text"]
        if any("{" in m.content for m in sample.messages if m.role == "user")
        or "{" in render_answer(sample.label).split("<tool_call>")[0]
        else []
    )
    for w in wrong:
        print("!", w)
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
