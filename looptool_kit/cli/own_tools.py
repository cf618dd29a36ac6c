"""What `looptool init --tools` says of a person's tools: what was read, and what can be asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import show_call
from looptool_kit.core.tables import read_lines
from looptool_kit.core.terminal import say
from looptool_kit.run.folder import Run
from looptool_kit.tools.own_tools import original_names, tools_of

if TYPE_CHECKING:
    from looptool_kit.core.samples import Sample
    from looptool_kit.tools.merge import Merge

MANY, REASONS = 20, 5
"""Names and reasons that are shown; of more the first, the most frequent."""
REQUESTS = 6
"""Requests that are shown to be read, of tools from the first to the last."""
NOTHING = """no request can be written from these tools, so nothing can be trained on them yet. Either
  say in their schemas what people say, with `enum` or `examples`, and run the same init again;
  or give requests of your own: looptool init ... --set seeds.source=my_samples.jsonl
  or let a language model write them: looptool init ... --set seeds.source=trees, with a generator_llm.
{run}/run.toml holds the settings so far. docs/tools.md has more on each."""

REMEDY = """\
     Change what a reason names, behind which there may be another one, and run init again; or give samples
     of your own for all tools: --set seeds.source=my_samples.jsonl (docs/tools.md)."""


def say_tools(run: Run) -> None:
    """Print what became of the tools.

    How many there are, were renamed, left out and cannot be asked for, with reasons.

    Raises:
        RunError: No tool gets a request from templates, so a loop would have nothing to train on.
    """
    tools, originals = tools_of(run), original_names(run)
    _row(len(tools), f"tools in {run.path / 'tools.json'}: {_some(t.name for t in tools)}")
    if originals:
        pairs = _some((f"{own} -> {legal}" for legal, own in originals.items()), 5)
        _row(len(originals), f"renamed (exports have the own names again): {pairs}")
    _say_merges(run)
    rejected = run.path / "rejected.jsonl"
    if rejected.exists():
        rows = read_lines(rejected)
        _row(len(rows), f"left out, rejected in {rejected}:")
        _reasons(Counter(str(row.get("reason", "")) for row in rows))
    if run.settings.seeds.source != "templates":
        return
    from looptool_kit.stages.seed.templates import usable
    from looptool_kit.stages.seed.templates.room import room_of
    from looptool_kit.stages.seed.templates.trial import trial

    fits = room_of(run.settings.model)
    pool, reasons = usable(tools, fits)
    tried = trial(pool, fits)
    reasons |= tried.without
    if reasons:
        _row(len(reasons), "get no request from templates, so nothing is trained on them:")
        for name, reason in list(reasons.items())[:MANY]:
            say(f"       {name}: {reason[:160]}")
        if len(reasons) > MANY:
            say(f"       and {len(reasons) - MANY} more: `looptool seed` names all in rejected.jsonl")
        if tried.passed:
            say(REMEDY)
    _row(tried.refused.total(), f"of {tried.tried} tried requests refused by a check, and not used")
    _reasons(tried.refused)
    if not tried.passed:
        raise RunError(NOTHING.format(run=run.path))
    _say_requests(list(tried.passed.values()))


def _say_requests(samples: Sequence[Sample]) -> None:
    """Some requests with their labels, for a person to read before anything is trained on such."""
    shown = samples[:: -(-len(samples) // REQUESTS)]
    _row(len(shown), f"of the {len(samples)} tools that get requests, each with one as templates word them:")
    for sample in shown:
        say(f"       “{sample.request}”")
        say(f"         -> {', '.join(map(show_call, sample.label.calls))}")
    say("     Where one reads wrongly, say more in that tool's descriptions (choices, examples, a range), or")
    say("     leave the tool out, and run init again.")


def _say_merges(run: Run) -> None:
    from looptool_kit.tools.merge import FILE, Merges

    path = run.path / FILE
    if not path.exists():
        return
    rows = Merges.read(path)
    into = {name: [r.tool for r in rows if r.into == name and r.fate == "merged"] for name in _kept(rows)}
    pairs = _some((f"{', '.join(names)} -> {name}" for name, names in into.items()), 5)
    _row(sum(map(len, into.values())), f"merged into others, as {path} says: {pairs or 'none are alike'}")
    if apart := rows.where(lambda r: r.fate == "apart"):
        words = _some((f"{r.tool} and {r.into} ({r.why})" for r in apart), 3)
        _row(len(apart), f"pairs are alike and stay apart: {words}")


def _kept(rows: Iterable[Merge]) -> list[str]:
    return [r.into for r in rows if r.fate == "kept"]


def _row(count: int, words: str) -> None:
    say(f"{count:5d} {words}")


def _reasons(counted: Counter[str]) -> None:
    for reason, count in counted.most_common(REASONS):
        say(f"       {count} x {reason[:160]}")


def _some(names: Iterable[str], most: int = MANY) -> str:
    listed = list(names)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "")
