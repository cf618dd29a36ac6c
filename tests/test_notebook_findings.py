"""What a notebook says at its top that came out is what its saved outputs say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("0*.ipynb"))
SAVED = ("00_tour", "01_one_iteration", "02_iterate", "03_your_tools")
"""Those whose finding has figures of the run that is saved in them."""


def finding(notebook: object) -> str:
    """The paragraph in short, on one line."""
    found = re.search(r"\*\*In short:\*\*(.*?)(?:\n\n|$)", notebook.cells[0].source, re.DOTALL)
    return " ".join(found[1].split()) if found else ""


def outputs(notebook: object) -> str:
    cells = (c for c in notebook.cells if c.cell_type == "code")
    found = (o.get("text") or o.get("data", {}).get("text/plain", "") for c in cells for o in c.outputs)
    return "\n".join(found).replace("−", "-")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_every_notebook_begins_with_what_it_shows(path: Path) -> None:
    notebook = nbformat.read(path, 4)
    # What 06 opens is a folder of one's own or a recorded one, so its first cell says it.
    first = outputs(notebook).lstrip().splitlines()[0] if path.stem == "06_does_it_help" else ""
    assert finding(notebook) or first.startswith("In short")


@pytest.mark.parametrize("name", SAVED)
def test_its_figures_are_those_of_the_saved_run(name: str) -> None:
    notebook = nbformat.read(NOTEBOOKS[0].parent / f"{name}.ipynb", 4)
    words, said = finding(notebook), outputs(notebook)
    figures = set(re.findall(r"(?<![`\w])[-+]?\d+%?(?![`\w])", words))
    assert len(figures) > 4
    missing = {f for f in figures if not re.search(rf"(?<!\d){re.escape(f.lstrip('+'))}(?!\d)", said)}
    assert missing == set(), (missing, words)
