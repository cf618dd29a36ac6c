"""Where every sample of every dataset went.

A sample goes from its part of D_j to a state, a verdict, a fate and a part of D_{j+1} (LoopTool, section 3;
method, section 2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Literal

from looptool_kit.core.records import (
    EVIDENCE,
    PARTS,
    STATES,
    TOKENS,
    VERDICTS,
    Expansions,
    Member,
    Members,
    Probes,
    State,
    Verdicts,
)
from looptool_kit.core.samples import Frozen, Samples
from looptool_kit.core.tables import Table, column
from looptool_kit.lineage.error_seeds import chosen, error_seeds, with_decisions
from looptool_kit.run.folder import Run

Stage = Literal["part", "state", "verdict", "fate", "new"]
NAMES: dict[Stage, tuple[str, ...]] = {
    "part": (*(part for part in PARTS if part != "seed"), "seed"),
    "state": (*reversed(STATES), "not probed"),
    "verdict": (*VERDICTS, "unjudged", "no verdict"),
    "fate": ("error seed", "relabelled", "HPPL", "kept unjudged", "discarded", "merged", "left out"),
    "new": ("children", "seed", "perturbed", "from an earlier dataset"),
}
"""The names that occur in each stage. `merged`: stands there in a row that another sample had already become.
`left out`: correct, and not taken for its perplexity. `new`: where rows of a dataset come from that were no
samples of the one before.
"""
_KEPT = {"HPPL": "HPPL", "unjudged": "kept unjudged"}


class Fate(Frozen):
    """What became of one sample of D_j.

    Empty strings stand for stages that have not run.
    """

    iteration: int
    sample_id: str
    part: str
    """Why it is in D_j; all of D_1 is `seed`."""
    state: str = ""
    verdict: str = ""
    """Of failed samples, a person's decisions included."""
    fate: str = ""
    becomes: str = ""
    """Id of the row of D_{j+1} that it is there; empty where it is none."""
    outdated: bool = False
    """D_{j+1} was composed before the verdict was what it is now."""


class Fates(Table[Fate]):
    """One row for each sample of each dataset, in the datasets' order."""

    row_type = Fate


class Step(Frozen):
    """A sample on its way from one node to the next.

    A node is named `D<j>/<stage>/<name>`, e.g. `D1/verdict/PRED_WRONG`; see `NAMES`.
    """

    iteration: int
    """Of the dataset that has a row `sample_id`: a step into D_{j+1} is a row of D_{j+1}, where a relabelled
    sample has another id.
    """
    sample_id: str
    source: str
    target: str


class Flows(Table[Step]):
    """One row for each sample and step.

    Nodes of the stages state and verdict, and parts of datasets that were probed, let out what goes in.
    """

    row_type = Step


def fates(run: Run) -> Fates:
    """The fate of every sample so far: one row for each."""
    return Fates(row for j in run.iterations for row in fates_of(run, j))


def flows(run: Run, fate_table: Fates | None = None) -> Flows:
    """Count the steps of every sample from part to part.

    `fate_table` is the run's fates, where they have been read already.
    """
    rows = fate_table if fate_table is not None else fates(run)
    return Flows(
        step for j in run.iterations for step in _steps(run, j, [r for r in rows if r.iteration == j])
    )


def flow_counts(run: Run) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Count the samples of each step and of each part.

    They are not held.

    Returns:
        (source, target) -> samples, and the node of a part -> samples.
    """
    steps, sizes = Counter[tuple[str, str]](), Counter[str]()

    def counted(j: int) -> Iterator[Fate]:
        for row in fates_of(run, j):
            sizes[node(j, "part", row.part)] += 1
            yield row

    for j in run.iterations:
        steps.update((step.source, step.target) for step in _steps(run, j, counted(j)))
    return steps, sizes


def node(iteration: int, stage: Stage, name: str) -> str:
    """The name of a node."""
    return f"D{iteration}/{stage}/{name}"


def outdated_children(run: Run, iteration: int) -> int:
    """Count the decisions on children that D_{j+1} does not contain yet.

    A person has accepted, rejected or edited these children since it was composed.
    """
    decided = run.decisions("expansion", iteration)
    if not decided or run.manifest("composition", iteration) is None:
        return 0
    table = run.table(Expansions, "expansions", iteration, missing_ok=True)
    kept = {m.sample_id for m in run.table(Members, "members", iteration + 1, missing_ok=True)}
    wanted = {child.sample.id for child in chosen(table, decided)}
    decided_children = [child for child in table if child.sample.id in decided]
    return sum(
        now[0].sample.id not in kept if (now := chosen([c], decided)) else c.sample.id in kept - wanted
        for c in decided_children
    )


def fates_of(run: Run, j: int) -> Iterator[Fate]:
    """The fate of every sample of D_j, in its order."""
    parts = {m.sample_id: m.part for m in run.table(Members, "members", j, missing_ok=True)}
    file = run.folder(j) / "samples.parquet"
    ids = dict.fromkeys(column(file, "id"))
    probed = run.manifest("probes", j) is not None
    judged = probed and run.manifest("verdicts", j) is not None
    composed = judged and run.manifest("composition", j) is not None
    states = _states(run, j, ids.keys()) if probed else {}
    verdicts = _verdicts(run, j, states) if judged else Verdicts()
    names = {v.sample_id: v.verdict or "unjudged" for v in verdicts}
    next_rows = run.table(Members, "members", j + 1, missing_ok=True) if composed else Members()
    next_ids = {m.sample_id for m in next_rows}
    members = {m.came_from: m for m in next_rows if m.part in ("ES", *_KEPT)}
    # The id under which a failed sample has to stand in the next dataset.
    due = {id: id for id, name in names.items() if name == "PRED_WRONG"} | (
        _relabelled(run, j, verdicts) if composed else {}
    )
    if run.settings.compose.unjudged == "keep":
        due |= {id: id for id, name in names.items() if name == "unjudged"}
    for id in ids:
        state = states.get(id, "not probed")
        verdict = names.get(id, "no verdict") if state == "failed" else ""
        member, wanted = members.get(id), due.get(id)
        yield Fate(
            iteration=j,
            sample_id=id,
            part=parts.get(id, "seed"),
            state=state if probed else "",
            verdict=verdict if judged else "",
            fate=_fate(id, verdict, member, (wanted or id) in next_ids) if composed else "",
            becomes=member.sample_id if member is not None else "",
            outdated=composed and _outdated(verdict, member, wanted, next_ids),
        )


def _states(run: Run, j: int, ids: Set[str]) -> dict[str, State]:
    file = run.folder(j) / "probes.parquet"
    if not file.exists():
        return {}
    rows = zip(column(file, "sample_id"), column(file, "state"), strict=True)
    return {id: state for id, state in rows if id in ids}


def _verdicts(run: Run, j: int, states: Mapping[str, State]) -> Verdicts:
    """Those on probes that failed, a person's decisions included."""
    if not (run.folder(j) / "verdicts.parquet").exists():
        return Verdicts()
    failed = {id for id, state in states.items() if state == "failed"}
    table = run.stored(Verdicts, "verdicts", j, without=EVIDENCE, keep={"sample_id": failed})
    return with_decisions(Verdicts(table), run.decisions("verdict", j))


def _relabelled(run: Run, j: int, verdicts: Verdicts) -> dict[str, str]:
    """Id of a sample whose label was wrong -> its id under the label that stands.

    Only these are read whole: a run may hold more than fits the memory.
    """
    wrong = verdicts.where(lambda v: v.verdict == "LABEL_WRONG")
    ids = {v.sample_id for v in wrong}
    if not ids:
        return {}
    samples = run.stored(Samples, "samples", j, keep={"id": ids})
    probes = run.stored(Probes, "probes", j, without=TOKENS, keep={"sample_id": ids})
    seeds = error_seeds(Samples(samples), Probes(probes), wrong)
    return {seed.probe.sample_id: seed.sample.id for seed in seeds}


def _fate(id: str, verdict: str, member: Member | None, in_next: bool) -> str:
    if member is not None:
        return _KEPT.get(member.part) or ("error seed" if member.sample_id == id else "relabelled")
    return "merged" if in_next else "discarded" if verdict else "left out"


def _outdated(verdict: str, member: Member | None, decided: str | None, next_ids: Set[str]) -> bool:
    """Whether the next dataset does not agree with the verdict.

    It lacks what the verdict wants there, has what no verdict wants any more, or has it in another part.
    """
    if decided is None:
        return bool(verdict) and member is not None and (member.part, verdict) != ("HPPL", "BOTH_CORRECT")
    if member is None:
        return decided not in next_ids
    # An error seed has children, a row that is kept unjudged has none.
    part = "unjudged" if verdict == "unjudged" else "ES"
    return (member.sample_id, member.part) != (decided, part)


def _steps(run: Run, j: int, rows: Iterable[Fate]) -> Iterator[Step]:
    composed, fate = False, dict[str, str]()
    for row in rows:
        composed = composed or bool(row.fate)
        if row.becomes:
            fate[row.becomes] = row.fate
        way = [
            node(j, stage, name)
            for stage in ("part", "state", "verdict", "fate")
            if (name := getattr(row, stage))
        ]  # type: ignore[arg-type]
        for source, target in zip(way, way[1:], strict=False):
            yield Step(iteration=j, sample_id=row.sample_id, source=source, target=target)
    if not composed:
        return
    born = {"EE": "children", "seed": "seed", "AUG": "perturbed"}
    for member in {m.sample_id: m for m in run.table(Members, "members", j + 1, missing_ok=True)}.values():
        carried = member.part not in born and member.sample_id in fate
        source = (
            node(j, "fate", fate[member.sample_id])
            if carried
            else node(j, "new", born.get(member.part, "from an earlier dataset"))
        )
        yield Step(
            iteration=j + 1,
            sample_id=member.sample_id,
            source=source,
            target=node(j + 1, "part", member.part),
        )
