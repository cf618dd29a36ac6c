"""The model of one stage: laws that hold whatever the numbers are."""

from __future__ import annotations

import pytest

pytest.importorskip("simpy", reason="the extra `plan` is not installed")

from hypothesis import example, given, settings
from hypothesis import strategies as st

from looptool_kit.capacity.engine import closed_form, simulate
from looptool_kit.capacity.scenario import Cluster
from looptool_kit.capacity.stages import Work

CALM = Cluster(straggling=0, interruptions=0)
seconds = st.floats(0.01, 100, allow_nan=False)


@st.composite
def works(draw: st.DrawFn, client: bool = False) -> Work:
    kind = draw(st.sampled_from(["pull", "gang"]))
    items, each = draw(st.integers(1, 200)), draw(seconds)
    if kind == "gang":
        facts = {"fixed": draw(st.floats(0, 5)), "pieces": draw(st.integers(1, 64))}
        return Work("train", "gang", items, each, checkpoint=draw(st.integers(1, 20)), **facts)
    costs = {"client": draw(st.floats(0, 10))} if client else {}
    return Work("probe", "pull", items, each, draw(st.integers(1, 20)), draw(st.floats(0, 50)), **costs)


troubles = st.builds(
    Cluster,
    straggling=st.floats(0, 0.5),
    interruptions=st.floats(0, 20),
    replacement=st.floats(0, 60),
)


@settings(deadline=None, max_examples=60)
@given(works(), st.integers(1, 40))
def test_where_nothing_goes_wrong_the_time_is_the_closed_form(work: Work, workers: int) -> None:
    assert simulate(work, workers, CALM).seconds == pytest.approx(closed_form(work, workers), rel=1e-9)


@settings(deadline=None, max_examples=60)
@given(works(client=True), st.integers(1, 20), st.integers(1, 20))
def test_more_workers_are_never_slower_where_nobody_straggles(work: Work, few: int, more: int) -> None:
    slow, fast = simulate(work, few, CALM), simulate(work, few + more, CALM)
    assert fast.seconds <= slow.seconds * (1 + 1e-9)


@settings(deadline=None, max_examples=60)
@given(works(client=True), st.integers(1, 12), troubles, st.integers(0, 9))
# Calls that were to be made again, in a batch that an interruption ended before.
@example(
    Work("probe", "pull", 119, 20.75, 1, 17.0, client=7.25),
    1,
    Cluster(straggling=0, interruptions=1.9375, replacement=0),
    0,
)
def test_work_is_conserved(work: Work, workers: int, cluster: Cluster, seed: int) -> None:
    """Whatever is interrupted: each item is done once, and busy time is that of items, calls again and what
    was lost, never more than the workers had.
    """
    # What is lost again and again would never end: an interruption about every hundred batches at most.
    hazard = cluster.interruptions * max(1.0, work.seconds * work.batch * work.checkpoint) / 100
    cluster = cluster.model_copy(update={"interruptions": cluster.interruptions / max(1.0, hazard)})
    result = simulate(work._replace(retried=0.1 if work.kind == "pull" else 0.0), workers, cluster, seed)
    assert result.items == work.items
    assert result.busy <= result.seconds * workers * (1 + 1e-9)
    assert result.client <= result.seconds * (1 + 1e-9)
    if cluster.straggling == 0:
        share = work.seconds if work.kind == "pull" else 0
        assert result.busy >= share * (work.items + result.retried) * (1 - 1e-9)
    if not result.interruptions:
        assert result.lost == 0


def test_chance_comes_from_the_seed_alone() -> None:
    work = Work("verify", "pull", 500, 2.0, 8, 30.0, 0.01, 0.1)
    cluster = Cluster(straggling=0.3, interruptions=20, replacement=60)
    first = simulate(work, 4, cluster, seed=1)
    assert first == simulate(work, 4, cluster, seed=1)
    assert first.seconds != simulate(work, 4, cluster, seed=2).seconds
    assert first.interruptions > 0 and first.lost > 0 and first.retried > 0


def test_interruptions_cost_time_and_a_gang_returns_to_its_checkpoint() -> None:
    work = Work("train", "gang", 400, 40.0, start=10, pieces=64, checkpoint=10)
    calm = simulate(work, 8, CALM)
    spot = simulate(work, 8, CALM.model_copy(update={"interruptions": 1.0}), seed=3)
    assert spot.items == 400 and spot.interruptions > 0
    assert 0 < spot.lost <= 10 * spot.interruptions
    assert spot.seconds > calm.seconds + spot.interruptions * CALM.replacement
    kept = simulate(work._replace(checkpoint=1), 8, CALM.model_copy(update={"interruptions": 1.0}), seed=3)
    assert kept.lost == 0


def test_calls_that_fail_are_made_again_as_often_as_they_fail() -> None:
    work = Work("verify", "pull", 20_000, 0.01, 50, retried=0.2)
    result = simulate(work, 8, CALM)
    # A call that fails with share p is made 1 / (1 - p) times on average.
    assert result.retried == pytest.approx(20_000 * (1 / 0.8 - 1), rel=0.05)
    assert result.busy == pytest.approx(0.01 * (20_000 + result.retried))


def test_stragglers_make_a_gang_slower_the_more_they_are() -> None:
    cluster = Cluster(straggling=0.2)
    work = Work("train", "gang", 300, 64.0, pieces=64)
    alone = [simulate(work, n, cluster).seconds / closed_form(work, n) for n in (1, 8, 64)]
    assert alone[0] < alone[1] < alone[2]


def test_one_process_that_hands_out_work_is_a_limit_that_workers_do_not_move() -> None:
    work = Work("verify", "pull", 1000, 0.1, 10, client=0.05)
    many = simulate(work, 64, CALM)
    assert many.seconds >= 1000 * 0.05 and many.limit == "one process"
    assert simulate(work, 1, CALM).limit == "workers"


def test_nobody_who_works_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        simulate(Work("probe", "pull", 1, 1.0), 0, CALM)
