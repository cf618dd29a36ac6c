"""The flow of samples through a run as a table, and the map of it without a page."""

from __future__ import annotations

import random
import re
from base64 import b64decode
from collections import Counter
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from widget_pages import asked

pytest.importorskip("anywidget")

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.core.records import Expansion, Expansions, Probe, Probes, Scores, Verdict, Verdicts
from looptool_kit.core.samples import Label, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.drawing import Link, Node, heatmap, lines, sankey
from looptool_kit.lineage.error_seeds import error_seeds, with_decisions
from looptool_kit.lineage.fates import Fates, fates, flow_counts, flows, node
from looptool_kit.policy.engines import Completion
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose import composition
from looptool_kit.stages.probe import judge_completion
from looptool_kit.widgets import DisagreementView, ExpansionView, LoopMap, ProbeView

VERDICTS = ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG", None)
EVIL = "<script>window.bad=1</script><img src=x onerror=window.bad=1>\x1b[31m"


def made_up(run: Run, j: int, rng: random.Random) -> None:
    """Probes, verdicts and children of D_j by chance, then D_{j+1}; some predictions are alike, so that
    relabelled samples meet.
    """
    samples = run.table(Samples, "samples", j)
    spare = world.generate(6, seed=rng.randrange(10**6), kinds=["single"])
    probes, verdicts = [], []
    for sample in samples:
        right = rng.random() < 0.4
        label = sample.label if right else Label(calls=spare[rng.randrange(2)].label.calls)
        completion = Completion(
            render_answer(label), (1, 2), (-rng.random(), -rng.random()), ("a", "b"), "stop"
        )
        probe = judge_completion(sample, completion, j)
        if probe.correct and rng.random() < 0.5:
            probe = probe.model_copy(update={"state": "borderline"})
        probes.append(probe)
        if probe.state == "failed":
            name: Any = rng.choice(VERDICTS)
            verdicts.append(
                Verdict(
                    sample_id=sample.id,
                    iteration=j,
                    status="judged" if name else "unjudged",
                    verdict=name,
                    judge="evidence",
                )
            )
    write(run, j, "probes", Probes(probes), threshold=1.5)
    write(run, j, "verdicts", Verdicts(verdicts))
    for verdict in rng.sample(verdicts, min(3, len(verdicts))):
        run.decide("verdict", verdict.sample_id, rng.choice(VERDICTS[:4]), iteration=j)
    seeds = error_seeds(
        samples, Probes(probes), with_decisions(Verdicts(verdicts), run.decisions("verdict", j))
    )
    children = [a_child(rng, j, seed.sample.id) for seed in seeds]
    write(run, j, "expansions", Expansions(children))
    lt.compose(run, iteration=j)


def write(run: Run, j: int, name: str, table: Any, **facts: Any) -> None:
    table.write(run.folder(j) / f"{name}.parquet")
    run.finish(name, j, "made up", 0.0, **facts)


def conserved(run: Run, known: Fates) -> None:
    """Every sample has one fate, every node lets out what goes in, and every part holds what the composition
    counted.
    """
    for j in run.iterations:
        mine = [f for f in known if f.iteration == j]
        assert [f.sample_id for f in mine] == [s.id for s in run.table(Samples, "samples", j)]
        assert all(bool(f.fate) == (run.manifest("composition", j) is not None) for f in mine)
    steps = flows(run, known)
    into, out = Counter(s.target for s in steps), Counter(s.source for s in steps)
    parts = Counter(node(f.iteration, "part", f.part) for f in known)
    assert flow_counts(run) == (Counter((s.source, s.target) for s in steps), parts)
    last = run.iteration
    for name in into:
        j, stage, what = name.split("/")
        if stage == "fate":
            assert out[name] == (into[name] if what not in ("discarded", "merged", "left out") else 0), name
        elif int(j[1:]) < last or run.manifest("probes", last):
            assert out[name] == into[name], name
    for row in composition(run)[1:]:
        assert {p: row[p] for p in ("ES", "EE", "HPPL", "seed", "unjudged")} == {
            p: into[f"{row['dataset']}/part/{p}"] for p in ("ES", "EE", "HPPL", "seed", "unjudged")
        }


def test_flows_of_the_recorded_run_add_up(run: Run) -> None:
    known = fates(run)
    conserved(run, known)
    counts = Counter((f.iteration, f.fate) for f in known)
    second_rows = composition(run)[1]
    assert (
        counts[1, "error seed"] + counts[1, "relabelled"] == second_rows["ES"] > 0
        and counts[1, "kept unjudged"] == second_rows["unjudged"] > 0
    )
    assert not any(f.outdated for f in known)
    relabelled = [f for f in known if f.fate == "relabelled"]
    later = {j: run.table(Samples, "samples", j).by_id() for j in (2, 3)}
    assert relabelled and all(later[f.iteration + 1][f.becomes].parent == f.sample_id for f in relabelled)


def a_child(rng: random.Random, iteration: int, seed_id: str) -> Expansion:
    """A candidate of an error seed, accepted or not."""
    accepted, made = rng.random() < 0.5, world.generate(1, seed=rng.randrange(10**6))[0]
    return Expansion(
        seed_id=seed_id,
        iteration=iteration,
        strategy="expanders.world",
        accepted=accepted,
        sample=made.model_copy(update={"parent": seed_id}),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("keep", ["keep", "discard"])
def test_flows_add_up_whatever_happens(tmp_path: Path, seed: int, keep: str) -> None:
    rng = random.Random(f"{seed}/{keep}")
    run = Run.create(
        tmp_path / "run",
        "cpu-quick",
        seeds__first=30,
        iterations=2,
        seeds__fresh=[6, 4],
        seeds__held_out=2,
        seeds__noise=0,
        compose__hppl=3,
        compose__unjudged=keep,
        seed=seed,
    )
    lt.seed(run)
    conserved(run, fates(run))
    for j in (1, 2):
        made_up(run, j, rng)
        known = fates(run)
        conserved(run, known)
        assert not any(f.outdated for f in known)


def test_two_samples_that_become_one_row_are_merged(tmp_path: Path) -> None:
    run = Run.create(
        tmp_path / "run", "cpu-quick", seeds__first=6, seeds__fresh=[2], seeds__held_out=2, seeds__noise=0
    )
    first = [s for s in lt.seed(run) if s.label.calls][0]
    other = world.generate(1, seed=5, kinds=["single"])[0].label
    twin = first.model_copy(update={"label": other})
    Samples([first, twin]).write(run.folder(1) / "samples.parquet")
    done = Completion(render_answer(other), (1,), (-0.5,), ("a",), "stop")
    probes = [judge_completion(s, done, 1).model_copy(update={"state": "failed"}) for s in (first, twin)]
    write(run, 1, "probes", Probes(probes), threshold=None)
    names: tuple[Any, ...] = ("LABEL_WRONG", "PRED_WRONG")
    rows = zip((first, twin), names, strict=True)
    write(
        run,
        1,
        "verdicts",
        Verdicts(Verdict(sample_id=s.id, iteration=1, status="judged", verdict=v) for s, v in rows),
    )
    write(run, 1, "expansions", Expansions())
    lt.compose(run, iteration=1)
    assert [(f.fate, f.becomes) for f in fates(run) if f.iteration == 1] == [
        ("relabelled", twin.id),
        ("merged", ""),
    ]
    conserved(run, fates(run))


def test_a_decision_after_composing_is_told_until_composed_again(run: Run) -> None:
    failed = next(f for f in fates(run) if f.iteration == 2 and f.verdict == "PRED_WRONG")
    run.decide("verdict", failed.sample_id, "BOTH_WRONG", iteration=2)
    now = next(f for f in fates(run) if (f.iteration, f.sample_id) == (2, failed.sample_id))
    assert now.outdated and now.verdict == "BOTH_WRONG" and now.fate == "error seed"
    child = next(f for f in fates(run) if f.iteration == 3 and f.part == "EE")
    run.decide("expansion", child.sample_id, "reject", iteration=2)
    assert LoopMap(run).note.startswith("2 decisions are newer than D3, which they would change.")
    lt.compose(run, iteration=2)
    known = fates(run)
    conserved(run, known)
    assert (
        next(f for f in known if (f.iteration, f.sample_id) == (2, failed.sample_id)).fate == "discarded"
        and LoopMap(run).note == ""
    )


def test_a_selected_flow_is_a_dataset_and_opens_in_the_views(run: Run) -> None:
    view = LoopMap(run)
    assert len(view.selection) == len({f.sample_id for f in fates(run)}) and view.on_sample()["sample"]["id"]
    view.selected = ["flow", "D2/part/EE", "D2/state/failed"]
    made = {s.id for s in run.table(Samples, "samples", 2) if s.parent}
    failed = {p.sample_id for p in run.table(Probes, "probes", 2) if p.state == "failed"}
    assert (
        {s.id for s in view.selection} == made & failed != set()
        and all(s.parent for s in view.selection)
        and view.iteration == 2
    )
    assert view.fits[0] == "DisagreementView" and set(view.fits) == {
        "ProbeView",
        "DisagreementView",
        "ExpansionView",
    }
    desk = view.open_in()
    assert isinstance(desk, DisagreementView) and {s.id for s in desk.selection} == {
        s.id for s in view.selection
    }
    probes = view.open_in("ProbeView")
    assert isinstance(probes, ProbeView) and {s.id for s in probes.selection} == {
        s.id for s in view.selection
    }
    view.selected = ["flow", "D2/fate/relabelled", "D3/part/ES"]
    relabelled = sum(f.fate == "relabelled" and f.iteration == 2 for f in fates(run))
    assert all(s.source == "judge" for s in view.selection) and len(view.selection) == relabelled > 0
    view.selected = ["node", "D1/new/children"]
    children = view.open_in()
    assert isinstance(children, ExpansionView) and {s.id for s in view.selection} <= {
        c.sample.id for c in children.expansions
    }
    assert {s.parent for s in view.selection} == {s.sample.id for s in children.seeds}
    view.selected = ["node", "D3/part/seed"]
    assert len(view.selection) == composition(run)[2]["seed"] > 0 and view.fits == []
    with pytest.raises(ValueError, match="not probed"):
        view.open_in()
    with pytest.raises(ValueError, match="ProbeView"):
        view.open_in("ProbeView")
    with pytest.raises(Exception, match="errors"):
        view.selected = ["flow", "D1/part/seed"]
    view.selected = ["node", "D9/no such/node"]
    assert len(view.selection) == 0 and view.on_sample() == {"sample": None, "fits": []}


def test_every_drawn_part_selects_what_it_counts(run: Run) -> None:
    view = LoopMap(run)
    parts = [n for n in ElementTree.fromstring(view.on_map()["svg"]).iter() if n.get("data-count")]
    assert len(parts) > 40
    for part in parts:
        name = part.get("data-node")
        view.selected = ["node", name] if name else ["flow", part.get("data-source"), part.get("data-target")]
        assert view.count == int(part.get("data-count", "")), view.selected


def test_the_map_is_drawn_at_the_width_of_the_page_and_explains_its_parts(run: Run) -> None:
    view = LoopMap(run)
    for width in (900, 960, 1400):
        svg = asked(view, "map", width=width)["svg"]
        assert f'width="{width}"' in svg and "font:11px" in svg, "text keeps its size"
    parts = {fate.part for fate in view._fates}
    explained = {name for name, _ in asked(view, "map")["legend"]} - {"verdicts"}
    verdicts = {fate.verdict for fate in view._fates if fate.verdict in VERDICTS[:4]}
    assert explained == parts & {"ES", "EE", "HPPL", "AUG"} | verdicts and "AUG" not in parts


def test_errors_of_an_iteration_and_against_the_one_before(run: Run) -> None:
    view = LoopMap(run)
    assert view.heats == [1, 2] and view.heat == 2
    tools, kinds, values = view.errors(2)
    cell = view.on_heat(2, False)
    assert cell["tools"] == tools and not cell["first"]
    tool, kind, n = next(
        (t, k, values[r][c]) for r, t in enumerate(tools) for c, k in enumerate(kinds) if values[r][c]
    )
    view.selected = ["errors", 2, tool, kind]
    assert len(view.selection) == n and n > 0
    faults = [{(f.tool or "(no tool)", f.kind) for f in p.faults} for p in run.table(Probes, "probes", 1)]
    with_before = view.errors(2, against=True)
    r, c = with_before[0].index(tool), with_before[1].index(kind)
    assert with_before[2][r][c] == n - sum((tool, kind) in pairs for pairs in faults)
    assert "against D1" in view.on_heat(2, True)["svg"]
    assert "against" not in view.on_heat(1, True)["svg"] and view.on_heat(1, True)["first"]


def test_flips_between_policies_on_held_out_samples(run: Run) -> None:
    flips = {(f["before"], f["after"]): f for f in LoopMap(run).flips()}
    right = {j: {s.sample_id: s.correct for s in run.table(Scores, "scores", j)} for j in (1, 2, 3)}
    for j in (1, 2):
        before, after = right[j], right[j + 1]
        found = flips[f"D{j}", f"D{j + 1}"]
        assert found["samples"] == len(before) == len(after)
        assert found["fixed"] == sum(after[i] and not before[i] for i in before) > 0
        assert found["broken"] == sum(before[i] and not after[i] for i in before)


def test_static_html_is_small_and_holds_text_as_text(run: Run) -> None:
    probes = list(run.table(Probes, "probes", 2))
    at = next(i for i, p in enumerate(probes) if p.faults)
    faults = tuple(f.model_copy(update={"tool": EVIL, "kind": f.kind}) for f in probes[at].faults)
    probes[at] = Probe.model_validate(probes[at].model_dump() | {"faults": [f.model_dump() for f in faults]})
    Probes(probes).write(run.folder(2) / "probes.parquet")
    page = LoopMap(run).static_html()
    heat = [b64decode(data).decode() for data in re.findall('svg.xml;base64,([^"]+)', page)][-1]
    for text in (page, heat):
        assert "<script" not in text and "<img src=x" not in text and "\x1b" not in text
    assert len(page.encode()) < 60_000 and "&lt;script&gt;" in heat and "the 10 largest of " in page
    assert re.search("D2 (failed|mastered|borderline)", page)
    assert not re.search(r"\son\w+=", re.sub(r"&lt;.*?&gt;", "", page))


def test_a_run_without_probes_has_a_map(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=5, seeds__held_out=2)
    assert LoopMap(run).static_html()
    lt.seed(run)
    view = LoopMap(run)
    assert (
        view.on_map()["flips"] == []
        and 'data-count="5"' in view.on_map()["svg"]
        and view.on_heat(1, False)["empty"]
        and view.static_html()
    )


def test_a_map_read_again_shows_what_the_run_has_done_since(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=8, seeds__held_out=2)
    lt.seed(run)
    view = LoopMap(run)
    view.filters, view.selected, drawn = {"part": "seed"}, ["node", "D1/part/seed"], view.drawn
    assert len(view.selection) == 8 and view.heat == 0 and not view.fits
    made_up(run, 1, random.Random(3))
    assert view.total == 8
    view.refresh()
    fresh = LoopMap(run)
    fresh.filters, fresh.selected = view.filters, view.selected
    assert view.total == fresh.total > 8 and view.drawn == drawn + 1
    assert (view.columns, view.heats, view.heat, view.on_map()) == (
        fresh.columns,
        fresh.heats,
        fresh.heat,
        fresh.on_map(),
    ) and view.heat == 1
    assert view.filters == {"part": "seed"} and {s.id for s in view.selection} == {
        s.id for s in run.table(Samples, "samples", 1)
    }
    assert "ProbeView" in view.fits
    fresh.filters = {"part": "EE"}
    view.filters, view.selected = {"part": "EE"}, []
    assert [s.id for s in view.selection] == [s.id for s in fresh.selection]
    assert view.on_refresh()["message"].endswith("rows, +0")


def test_drawings_escape_text_and_leave_gaps_out() -> None:
    nan = float("nan")
    chart = lines({EVIL: [(1, 0.5), (2, nan), (3, 0.7), (4, 0.9), (5, 0.8)], "b": []}, EVIL, EVIL)
    flow = sankey(
        [Node("a", EVIL, 0), Node("b", "b", 1), Node("c", "c", 2)],
        [Link("a", "c", 3), Link("a", "b", 1)],
        EVIL,
    )
    heat = heatmap([EVIL], [EVIL], [[-2]], EVIL, diverging=True)
    for svg in (chart, flow, heat):
        root = ElementTree.fromstring(svg)
        tags = {n.tag.removeprefix("{http://www.w3.org/2000/svg}") for n in root.iter()}
        assert tags <= {"svg", "title", "g", "path", "rect", "circle", "line", "text"} and "\x1b" not in svg
        assert not any(name.startswith("on") for n in root.iter() for name in n.attrib)
    path = next(n for n in ElementTree.fromstring(chart).iter() if n.get("data-series"))
    assert path.get("d", "").count("M") == 2 and "nan" not in path.get("d", "")
    assert "−2" in heat and lines({}, "empty") and sankey([], [], "empty") and heatmap([], [], [], "empty")
