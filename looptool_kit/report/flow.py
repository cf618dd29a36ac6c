"""The flow of samples through the loop, drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from looptool_kit.core.records import Part, VerdictName
from looptool_kit.drawing import SERIES, STATE_COLOURS, Link, Node, sankey
from looptool_kit.lineage.fates import NAMES, Stage, flow_counts, node
from looptool_kit.run.folder import Run

_BLUE, _RED, _AMBER, _GREEN, _PURPLE, _GREY = SERIES
_PARTS: dict[Part, str] = {
    "ES": _RED,
    "EE": _PURPLE,
    "HPPL": _AMBER,
    "unjudged": _GREY,
    "AUG": _BLUE,
    "seed": _GREEN,
}
_VERDICTS: dict[VerdictName, str] = {
    "PRED_WRONG": _RED,
    "LABEL_WRONG": _BLUE,
    "BOTH_CORRECT": _AMBER,
    "BOTH_WRONG": _GREY,
}
_FATES = {
    "error seed": _RED,
    "relabelled": _BLUE,
    "left out": _BLUE,
    "children": _PURPLE,
    "perturbed": _BLUE,
}
_COLOURS: dict[str, str] = dict(
    [*STATE_COLOURS.items(), *_PARTS.items(), *_VERDICTS.items(), *_FATES.items()]
)
"""Of nodes; all others are grey."""
_ABOUT = {
    "ES": "error seeds of the iteration before",
    "EE": "error-driven expansion: children of error seeds",
    "HPPL": "right, but at high perplexity",
    "seed": "new from the pool",
    "AUG": "perturbed seed samples",
    "failed": "the answer does not match the label",
    "borderline": "right, at a perplexity above the threshold",
    "mastered": "right, at a perplexity up to the threshold",
    "relabelled": "error seed under a new label",
    "merged": "continues in a row that another sample had already become",
    "left out": "right, and not taken for its perplexity",
    "perturbed": "seed samples in another form, chosen by the policy's loss or by chance",
    "children": "written for error seeds, passed all checks",
}
_COLUMNS: tuple[tuple[int, tuple[Stage, tuple[str, ...]]], ...] = (
    (0, ("part", NAMES["part"])),
    (1, ("state", NAMES["state"])),
    (2, ("verdict", NAMES["verdict"])),
    (3, ("fate", ("error seed", "relabelled"))),
    (3, ("new", ("children",))),
    (3, ("fate", ("HPPL", "kept unjudged"))),
    (3, ("new", ("seed", "perturbed", "from an earlier dataset"))),
    (3, ("fate", ("discarded", "merged", "left out"))),
)


def flow_map(
    counts: Mapping[tuple[str, str], int],
    sizes: Mapping[str, int],
    iterations: Sequence[int],
    width: float = 960,
) -> str:
    """The flow of samples through these iterations, as SVG.

    Args:
        counts: samples of each flow, by the names of its ends.
        sizes: samples of each part of a dataset, by its node's name.
        iterations: those to show, in order.
        width: of the drawing, in pixels; it becomes wider where its columns need it.
    """
    nodes = []
    used = {*sizes, *(end for ends in counts for end in ends)}
    for j in iterations:
        for column, (stage, names) in _COLUMNS:
            # Columns of a dataset that nothing was done with yet would take room from the others.
            for name in (n for n in names if node(j, stage, n) in used):
                place = node(j, stage, name)
                nodes.append(
                    Node(
                        place,
                        f"D{j} {name}" if stage == "part" else name,
                        4 * (j - iterations[0]) + column,
                        _COLOURS.get(name, _GREY),
                        sizes.get(place, 0),
                        _ABOUT.get(name, ""),
                    )
                )
    links = [Link(*ends, n, _colour(*ends)) for ends, n in counts.items()]
    reach = f", D{iterations[0]} to D{iterations[-1]}" if iterations else ""
    title = f"the flow of samples through the loop{reach}" if iterations else "no dataset yet"
    return sankey(nodes, links, title, width=width)


def legend(parts: Collection[str]) -> list[list[str]]:
    """The short names of a map's parts with their meaning."""
    return [[name, _ABOUT[name]] for name in ("ES", "EE", "HPPL", "AUG") if name in parts]


def _colour(source: str, target: str) -> str:
    """The colour of a ribbon.

    A part's samples have that of their state, what joins a dataset that of its part, all else that of its
    source.
    """
    ends = source.split("/"), target.split("/")
    return _COLOURS.get(ends[ends[0][1] == "part" or ends[1][1] == "part"][2], _GREY)


def flow_of(run: Run) -> str:
    """Draw the flow of samples through a run, as SVG.

    Through all iterations; empty before there is a dataset.
    """
    return flow_map(*flow_counts(run), run.iterations) if run.iterations else ""
