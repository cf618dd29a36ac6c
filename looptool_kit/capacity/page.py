"""What a plan says: lines for a terminal, and the page docs/scale-plan.md with its picture."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from looptool_kit.capacity.engine import Result
from looptool_kit.capacity.figures import Check, Row, Trouble, against_nemo, against_the_paper
from looptool_kit.capacity.local import Compared
from looptool_kit.capacity.scenario import Scenario
from looptool_kit.capacity.stages import stages
from looptool_kit.core.terminal import duration
from looptool_kit.drawing import lines

PICTURE = "scale-plan.svg"


def summary(plan: Scenario, rows: Sequence[Row], seed: int) -> str:
    """Return a plan for a terminal.

    By stage on its own cluster, then by size.
    """
    own = next(r for r in rows if r.gpus == plan.workers)
    text = [plan.title, "", f"One iteration on {_gpus(own.gpus)}, random seed {seed}:"]
    for result in own.stages:
        share = result.seconds / own.seconds
        text.append(
            f"  {result.stage:9s} {_hours(result.seconds):>9s} {own.cost_of(result.seconds):>11,.0f} $"
            f" {share:>5.0%}   {_limit(result)}"
        )
    text += [f"  {'all':9s} {_hours(own.seconds):>9s} {own.cost:>11,.0f} $", ""]
    text += ["GPUs        time         cost   longest stage"]
    for row in rows:
        longest = f"{row.longest.stage} ({row.longest.seconds / row.seconds:.0%})"
        text.append(f"{row.gpus:<7,d} {_hours(row.seconds):>9s} {row.cost:>11,.0f} $  {longest}")
    taken = {name: rate for name, rate in plan.take if rate}
    guessed = sorted({rate for rate in taken.values() if plan.rates[rate].kind == "assumed"})
    text += ["", f"Assumed, not measured: {', '.join([*guessed, 'lengths, shares and prices'])}."]
    return "\n".join(text)


def plot(title: str, rows: Sequence[Row]) -> str:
    """Draw the GPU-hours of an iteration by number of GPUs.

    With and without those of the longest stage.
    """
    stage = rows[-1].longest.stage
    rest = [(r.gpus, r.gpus * sum(s.seconds for s in r.stages if s.stage != stage) / 3600) for r in rows]
    every = [(r.gpus, r.gpus * r.seconds / 3600) for r in rows]
    series = {"all stages": every, f"without {stage}": rest}
    return lines(series, title, "GPU-hours", "GPUs", (0, None), width=620, height=260)


def page(
    plans: Sequence[tuple[Scenario, Sequence[Row], Sequence[Trouble]]],
    local: Sequence[Compared],
    seed: int,
    about: str,
) -> str:
    """Return the page; the last plan is the one of the picture.

    Args:
        plans: Each with its sizes and its troubles.
        local: Real runs beside simulated ones; empty where none were made.
        seed: Of all chance.
        about: Where and when it was printed.
    """
    text = [_HEAD, "## Rates", "", _rates([plan for plan, *_ in plans]), ""]
    for plan, rows, more in plans:
        own = next(r for r in rows if r.gpus == plan.workers)
        text += [f"## {plan.title}", "", _stages(plan, own), "", _sizes(rows), "", _troubles(more), ""]
    title = plans[-1][0].title.split(",")[0]
    text += [f"![GPU-hours by number of GPUs: {title}]({PICTURE})", "", "## Checks", ""]
    text += [_local(local), "", _wrapped(_PAPER), "", _checks(against_the_paper(plans[0][0])), ""]
    text += [_wrapped(_NEMO), "", _checks(against_nemo(plans[0][0])), "", _wrapped(_NOT_SEEN), ""]
    return "\n".join([*text, _wrapped(f"<sub>{about}; random seed {seed}.</sub>"), ""])


_HEAD = """# A plan for many GPUs, by simulation

Written by `looptool simulate --check runs/plan-check.json --page docs/scale-plan.md`; do not edit.

Nothing on this page was run on more than one GPU. A discrete-event model (SimPy) of one iteration is fed with
rates, and each rate says where it comes from. `looptool simulate NAME` prints one plan, `looptool simulate
my.toml --gpus 16` that of a file of your own: copy one of `looptool_kit/capacity/scenarios/`, and put your
own measured rates under `[rates.NAME]`.

Every stage has all GPUs to itself, as the loop runs them: workers start an engine, take batches from one
queue, and are slowed by chance (stragglers). A share of the calls to the judge fails and is made again. The
one process that asks needs processor time for each call. A training is synchronous: its slowest worker
decides a step, and an interruption of one GPU stops all, who return to the last checkpoint. All GPUs are paid
from the first stage to the last.
"""

_PAPER = """**Against the paper** (arXiv 2511.09148). In what was at hand of it (abstract, recipe, table of
the datasets, public scripts) we found no time and no cost, so only counts can be compared. How many samples
fail is not given either; the share of error seeds is taken from its table, so the expansions of D2 to D4
test one thing: whether a single share of accepted candidates explains all three."""

_NEMO = """**Against printed times of GRPO** (NeMo RL 0.4, performance summary, DGX-H100). The first row is
the run that the rate is from; its own tokens a second and its own seconds differ by this, and it does not say
why. The second is the rule for another model and cluster, by parameters alone. The rate is of whole steps
on 16 GPUs, so it holds what they wait for each other already; the plans add stragglers and a fixed part to
it, and are on the slow side: by how much, their first two rows on what happens tell."""

_NOT_SEEN = """Not seen: a run on several GPUs, an interruption of a real spot machine, the rates of an 8B or
32B model measured with this package, any price that was paid."""


def _wrapped(paragraph: str) -> str:
    """In lines as STYLE.md allows them."""
    words = " ".join(paragraph.split())
    return textwrap.fill(words, 110, break_long_words=False, break_on_hyphens=False)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*head, *("| " + " | ".join(row) + " |" for row in rows)])


def _rates(plans: Sequence[Scenario]) -> str:
    taken = dict.fromkeys(rate for plan in plans for _, rate in plan.take if rate)
    rates = plans[0].rates
    rows = [[f"`{n}`", f"{rates[n].value:,g}", rates[n].unit, rates[n].kind, rates[n].source] for n in taken]
    plan = plans[0]
    assumed = (
        f"Assumed beside them: ${plan.cluster.price:g} a GPU-hour, {plan.shares.failed:.0%} of the samples"
        f" failed, {plan.shares.retried:.0%} of the calls made again, a step's fixed part of"
        f" {plan.train.sync:g} s, a straggler's logarithm with standard deviation"
        f" {plan.cluster.straggling:g}, a machine replaced in {duration(plan.cluster.replacement)}, judge"
        f" prompts of {plan.tokens.judge_prompt:,} tokens, verdicts of {plan.tokens.verdict} and candidates"
        f" of {plan.tokens.candidate}. Prompts and answers have the lengths that stand with each plan."
    )
    return _table(("rate", "value", "unit", "kind", "where from"), rows) + f"\n\n{_wrapped(assumed)}"


def _stages(plan: Scenario, own: Row) -> str:
    work = {w.stage: w for w in stages(plan)}
    rows = []
    for r in own.stages:
        unit = "steps" if work[r.stage].kind == "gang" else "rows"
        rows.append(
            [
                r.stage,
                f"{r.items:,} {unit}",
                f"{r.workers:,} cores" if work[r.stage].group == 0 else _gpus(r.workers),
                _hours(r.seconds),
                f"{own.cost_of(r.seconds):,.0f}",
                f"{r.seconds / own.seconds:.1%}",
                _limit(r),
            ]
        )
    rows.append(["**all**", "", "", _hours(own.seconds), f"{own.cost:,.0f}", "", ""])
    what = (
        f"{plan.samples:,} samples of {plan.tokens.prompt:,} + {plan.tokens.answer} tokens,"
        f" {_gpus(own.gpus)}:\n\n"
    )
    return what + _table(("stage", "work", "workers", "time", "$", "share", "limit"), rows)


def _sizes(rows: Sequence[Row]) -> str:
    first = rows[0]
    cells = [
        [
            f"{r.gpus:,}",
            _hours(r.seconds),
            f"{r.cost:,.0f}",
            f"{first.seconds * first.gpus / (r.seconds * r.gpus):.0%}",
            f"{r.longest.stage} ({r.longest.seconds / r.seconds:.0%})",
            _limit(r.longest),
        ]
        for r in rows
    ]
    return _table(("GPUs", "time", "$", "efficiency", "bottleneck", "its limit"), cells)


def _troubles(more: Sequence[Trouble]) -> str:
    base = more[1].row.seconds
    cells = [
        [
            t.what,
            _hours(t.row.seconds),
            f"{sum(r.interruptions for r in t.row.stages):,}",
            f"{sum(r.lost for r in t.row.stages):,}",
            f"{sum(r.retried for r in t.row.stages):,}",
            f"{min(1.0, base / t.row.seconds):.0%}",
        ]
        for t in more
    ]
    names = ("what happens", "time", "interruptions", "rows and steps repeated", "calls repeated")
    return _table((*names, "pays below this share of the price"), cells)


def _local(found: Sequence[Compared]) -> str:
    if not found:
        return "**Against real runs on this machine**: not made; `--check` makes them."
    rows = [
        [
            str(c.processes),
            f"{c.rows} samples, {c.batches} batches",
            f"{c.real:.1f}",
            f"{c.simulated:.1f}",
            f"{c.simulated / c.real - 1:+z.1%}",
            f"{c.alone:.1f}",
            f"{c.alone / c.real - 1:+z.1%}",
        ]
        for c in found
    ]
    words = """**Against real runs on this machine**: the kit's engine `transformers` with the embedded model
on one thread a process, greedy answers of at most 24 tokens. The simulation gets the mean seconds of a batch
from other batches, answered just before by as many processes. In the last two columns it gets those of one
process alone: what is wrong there is what processes take from each other."""
    if (busy := found[0].load) > 1.5:
        words += (
            f" **The machine was not quiet: its load was {busy:.0f} before, on two hardware threads of one"
            " core**, so that the wall seconds are mostly those of others."
        )
    names = ("processes", "work", "real, s", "simulated, s", "error", "from one process, s", "error")
    return _wrapped(words) + "\n\n" + _table(names, rows)


def _checks(found: Sequence[Check]) -> str:
    rows = [[c.what, f"{c.theirs:,.6g}", f"{c.ours:,.6g}", f"{c.error:+z.1%}", c.how] for c in found]
    return _table(("figure", "theirs", "ours", "error", "how"), rows)


def _gpus(count: int) -> str:
    return f"{count:,} GPU{'s' * (count != 1)}"


def _hours(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"


def _limit(result: Result) -> str:
    return f"{result.limit} ({result.load:.0%} busy)" if result.limit == "workers" else result.limit
