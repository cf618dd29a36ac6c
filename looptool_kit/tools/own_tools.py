"""Runs on a person's own tools.

The catalogue is kept in the run folder (`tools.json`, OpenAI form), and seed data is made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples, Tool, ToolCall
from looptool_kit.core.tables import read_json, write_json
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.run.folder import Run
from looptool_kit.tools.catalog import load_tools
from looptool_kit.tools.merge import FILE as MERGES
from looptool_kit.tools.merge import merge
from looptool_kit.trust import tools_kind

CATALOGUE = "tools.json"
_ORIGINAL = "original_name"
"""Key of a tool's own name, where it had to be changed."""


def init(
    path: str | Path, tools: str | Path | Sequence[Callable[..., Any]], preset: str = "cpu", **overrides: Any
) -> Run:
    """Make a run on a person's own tools.

    Tools that cannot be used go to the run's `rejected.jsonl` with their reasons. Seed data comes from
    templates (`seeds.source = "templates"`), without planted noise, and the `slots` expander grows it, where
    `overrides` say nothing else. With `merge.tools` near-duplicates become one; what became of each is in
    the run's `merges.parquet`.

    Args:
        path: The run folder.
        tools: What `load_tools` takes.
        preset: The preset of settings.
        overrides: Settings, as for `Run.create`.

    Raises:
        ValueError: No tool can be used, or the source of seed samples makes no request of them.
        RunError: The run has results of other tools.
    """
    rejected: list[tuple[int, str, str]] = []
    originals: dict[str, str] = {}
    good = load_tools(tools, lambda *row: rejected.append(row), originals.__setitem__)
    source = str(tools) if isinstance(tools, str | Path) else "functions"
    if not good:
        raise ValueError(
            f"none of the {len(rejected)} tools of {source} can be used: "
            + "; ".join(f"row {n}: {reason}" for n, _, reason in rejected[:3])
        )
    catalogue = Path(path) / CATALOGUE
    usual: dict[str, Any] = {
        "seeds__source": "templates",
        "seeds__noise": 0.0,
        "seeds__domains": [],
        "expand__expanders": ["slots"],
        "synthesis__tools": f"./{catalogue}" if tools_kind(str(catalogue)) == "mcp" else str(catalogue),
    }
    from looptool_kit.stages._find import sources

    chosen = usual | overrides
    if chosen["seeds__source"] in set(sources()) - {"templates", "trees"}:
        raise ValueError(
            f"with seeds.source = {chosen['seeds__source']!r} nothing is trained on the tools given: leave it"
            " out, or name `templates`, `trees` or a file of samples"
        )
    run = Run.create(path, preset, **chosen)
    merging = merge(good, run.settings.merge.same) if run.settings.merge.tools else None
    good = merging.tools if merging else good
    if catalogue.exists():
        if [t.canonical for t in load_tools(catalogue)] == [t.canonical for t in good]:
            return run
        if run.iterations:
            raise RunError(
                f"{run.path} holds results that were made with other tools ({CATALOGUE}): with these all of"
                " it, from the seed data on, would be made again. Give a new folder. To change the tools of"
                f" this run, edit {catalogue}; `looptool plan {run.path}` then says what is made again."
            )
        run.supersede(catalogue)
    rows = [
        schema | ({_ORIGINAL: originals[tool.name]} if tool.name in originals else {})
        for tool, schema in zip(good, tool_schemas(good), strict=True)
    ]
    write_json(catalogue, rows)
    if merging:
        merging.merges.write(run.path / MERGES)
    for number, raw, reason in rejected:
        run.reject(source, number, raw, reason)
    return run


def tools_of(run: Run) -> list[Tool]:
    """The run's own catalogue; `RunError` where it has none."""
    path = run.path / CATALOGUE
    if not path.exists():
        raise RunError(
            f"{path} does not exist, but seeds.source is `templates`. Make the run with `looptool init"
            f" {run.path} --tools ...`."
        )
    refuse_other_tools(run)
    return load_tools(path)


def refuse_other_tools(run: Run) -> None:
    """Refuse a setting that names other tools than the run has.

    Raises:
        RunError: Says how to take them.
    """
    path, named = run.path / CATALOGUE, run.settings.synthesis.tools
    if named and path.exists() and Path(named).name != CATALOGUE:  # a copied run names the first one's folder
        raise RunError(
            f"synthesis.tools in {run.path / 'run.toml'} names {named}, but this run's tools are those in"
            f" {path}. Put tools = {str(path)!r} back there; to take the others: looptool init"
            f" {run.path} --tools {named}"
        )


def original_names(run: Run) -> dict[str, str]:
    """Return legal name -> own name of the run's renamed tools.

    For each tool of the catalogue that was renamed.
    """
    path = run.path / CATALOGUE
    if not path.exists():
        return {}
    rows = read_json(path, list[dict[str, Any]], "Put it back as it was: it names the run's tools.")
    renamed = [row for row in rows if row.get(_ORIGINAL) and isinstance(row.get("function"), dict)]
    return {str(row["function"].get("name")): str(row[_ORIGINAL]) for row in renamed}


def with_original_names(run: Run, samples: Iterable[Sample]) -> Samples:
    """Return the samples with the tools' original names.

    Those that they had where they came from: for use outside.
    """
    names = original_names(run)

    def calls(of: tuple[ToolCall, ...]) -> tuple[ToolCall, ...]:
        return tuple(c.model_copy(update={"name": names.get(c.name, c.name)}) for c in of)

    def renamed(sample: Sample) -> Sample:
        tools = tuple(t.model_copy(update={"name": names.get(t.name, t.name)}) for t in sample.tools)
        messages = tuple(
            m.model_copy(update={"name": names.get(m.name or "", m.name), "tool_calls": calls(m.tool_calls)})
            for m in sample.messages
        )
        label = sample.label.model_copy(update={"calls": calls(sample.label.calls)})
        return sample.model_copy(update={"tools": tools, "messages": messages, "label": label})

    return Samples(map(renamed, samples) if names else samples)
