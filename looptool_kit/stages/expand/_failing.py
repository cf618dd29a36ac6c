"""Which tools the policy fails, as a table: what HardGen (arXiv 2601.01498) writes hard tasks for.

HardGen has a tool fail where a target and a reference model both mis-execute it. Here the first model is the
policy of the iteration, by its probes, and `hardgen.second` names the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from looptool_kit.core.grading import Fault, grade
from looptool_kit.core.records import Probes, Verdicts
from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.lineage.error_seeds import with_decisions
from looptool_kit.policy.engines import Sampling
from looptool_kit.policy.policy import open_engine, untrained
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage

NAME = "failing"
LABEL_IS_WRONG = ("LABEL_WRONG", "BOTH_WRONG")
"""Verdicts after which a failed sample says nothing about its tools."""


class Tried(Frozen):
    """How a policy did on a sample."""

    sample_id: str
    correct: bool
    faults: tuple[Fault, ...] = ()


class Tries(Table[Tried]):
    """One row a sample."""

    row_type = Tried


class FailingTool(Frozen):
    """One tool that samples ask for.

    It says how often the policy is wrong about the tool.
    """

    tool: str
    asked: int
    """Samples whose label calls it."""
    failed: int
    """Those that the policy gets wrong, with a fault of this tool."""
    share: float
    faults: dict[str, int] = {}
    """Kind of fault -> how often."""
    second_asked: int | None = None
    """The same of the second policy; None where there is none."""
    second_failed: int | None = None
    second_share: float | None = None
    fails: bool = False
    """Whether both fail it, by `hardgen.fails_least` and `hardgen.fails_share`."""


class Failing(Table[FailingTool]):
    """One row a tool that is asked for, the worst first; `failing.parquet`."""

    row_type = FailingTool


def stage(run: Run, j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    second = run.settings.hardgen.second
    settings = ["hardgen.fails_least", "hardgen.fails_share", "hardgen.second"]
    before = None
    if second == "base":
        settings += ["probe.max_new_tokens"]
    if second == "previous" and j > 1:
        before = [t.model_dump(mode="json") for t in _probed(run, j - 1)]
    samples = run.table(Samples, "samples", j)
    tried = [t.model_dump(mode="json") for t in _probed(run, j)]
    model = untrained(run.settings).key if second == "base" else ""
    made_from = {"samples": samples, "tried": tried, "before": before, "base": model}
    return Stage(run, NAME, j, [f"{NAME}.parquet"], settings, **made_from)


def failing(run: Run, j: int) -> Failing:
    """The tools of D_j with how the policies do on them."""
    now, settings = stage(run, j), run.settings.hardgen
    if not now.done:
        with now.making():
            samples = run.table(Samples, "samples", j).by_id()
            first, second = _counts(samples, _probed(run, j)), None
            if settings.second == "base":
                second = _counts(samples, _by_base(run, list(samples.values()), now))
            elif settings.second == "previous" and j > 1:
                earlier = run.table(Samples, "samples", j - 1).by_id()
                second = _counts(earlier, _probed(run, j - 1))
            table = tabulated(first, second, settings.fails_least, settings.fails_share)
            now.finish({f"{NAME}.parquet": table}, tools=len(table), failing=sum(t.fails for t in table))
    return run.table(Failing, NAME, j)


Counts = Mapping[str, tuple[int, Counter[str]]]
"""Tool -> how often it is asked for, and kind of fault -> in how many samples it is the first."""


def tabulated(first: Counts, second: Counts | None, least: int, share: float) -> Failing:
    """The table; without a second policy the first decides alone.

    Args:
        first: Of the policy.
        second: Of the other one. A tool that it was not asked often enough does not fail.
        least: Samples that must ask for a tool.
        share: Share of them that must be wrong.
    """

    def fails(asked: int, failed: int) -> bool:
        return asked >= least and failed >= share * asked

    rows = []
    for tool, (asked, faults) in first.items():
        row = FailingTool(
            tool=tool,
            asked=asked,
            failed=faults.total(),
            share=faults.total() / asked,
            faults=dict(sorted(faults.items())),
            fails=fails(asked, faults.total()),
        )
        if second is not None:
            other, wrong = second.get(tool, (0, Counter()))
            row = row.model_copy(
                update={
                    "second_asked": other,
                    "second_failed": wrong.total(),
                    "second_share": wrong.total() / other if other else None,
                    "fails": row.fails and fails(other, wrong.total()),
                }
            )
        rows.append(row)
    return Failing(sorted(rows, key=lambda r: (-r.fails, -r.share, -r.asked, r.tool)))


def _counts(samples: Mapping[str, Sample], tries: Iterable[Tried]) -> Counts:
    asked, wrong = Counter[str](), dict[str, Counter[str]]()
    for tried in tries:
        called = {c.name for c in samples[tried.sample_id].label.calls}
        asked.update(called)
        if tried.correct:
            continue
        kinds: dict[str, str] = {}
        for fault in tried.faults:
            if fault.tool in called:
                kinds.setdefault(fault.tool, fault.kind)
        # A fault of no tool, an answer that cannot be read, is one of all that were to be called.
        if not kinds and tried.faults:
            kinds = dict.fromkeys(called, tried.faults[0].kind)
        for tool, kind in kinds.items():
            wrong.setdefault(tool, Counter()).update([kind])
    return {tool: (n, wrong.get(tool, Counter())) for tool, n in asked.items()}


def _probed(run: Run, j: int) -> list[Tried]:
    """The probes of an iteration, but those on labels that are wrong."""
    verdicts = with_decisions(
        run.table(Verdicts, "verdicts", j, missing_ok=True), run.decisions("verdict", j)
    )
    found = {v.sample_id: v.verdict for v in verdicts}
    probes = run.table(Probes, "probes", j, missing_ok=True)
    return [
        Tried(
            sample_id=p.sample_id,
            correct=p.correct or found.get(p.sample_id) == "BOTH_CORRECT",
            faults=p.faults,
        )
        for p in probes
        if found.get(p.sample_id) not in LABEL_IS_WRONG
    ]


def _by_base(run: Run, samples: Sequence[Sample], now: Stage) -> list[Tried]:
    """What the untrained policy makes of samples; each batch is kept."""
    engine = open_engine(untrained(run.settings), run.settings.probe.batch)
    right_labels = {t.sample_id for t in _probed(run, now.iteration)}
    asked = [s for s in samples if s.id in right_labels]

    def work(batch: Sequence[int]) -> Tries:
        rows = [asked[i] for i in batch]
        completions = engine.generate(rows, Sampling(run.settings.probe.max_new_tokens))
        graded = [
            grade(c[0].answer(s.tools), s.label, s.tools) for s, c in zip(rows, completions, strict=True)
        ]
        return Tries(
            Tried(sample_id=s.id, correct=g.correct, faults=g.faults)
            for s, g in zip(rows, graded, strict=True)
        )

    return list(run.batches(NAME, now.iteration, now.key, engine.plan(asked), Tries, work))
