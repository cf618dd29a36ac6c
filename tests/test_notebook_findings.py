"""A notebook's top says what it is, its finding is that of its outputs, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("0*.ipynb"))
SAVED = ("00_tour", "01_one_iteration", "02_iterate", "03_your_tools", "06_does_it_help")
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


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_its_top_says_how_long_it_takes_and_where_the_words_are(path: Path) -> None:
    cells = nbformat.read(path, 4).cells
    first, second = cells[0].source.split("\n\n")[1:3]
    assert re.search(r"\b(seconds|minutes?|hour)\b", first) and second.startswith("**In short:**")
    assert "#Glossary)" in cells[0].source, "the words are explained"
    assert cells[-1].cell_type == "markdown", "the end says what comes next"
    ending = "\n".join(c.source for c in cells[-2:] if c.cell_type == "markdown")
    assert re.search(r"\]\(0\d_\w+\.ipynb\)", ending)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_its_links_lead_to_notebooks_and_headings_that_are_there(path: Path) -> None:
    text = "\n".join(c.source for c in nbformat.read(path, 4).cells if c.cell_type == "markdown")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if not link.startswith("https://")]
    assert links
    for link in links:
        name, _, heading = link.partition("#")
        target = path.parent / name if name else path
        # Copies to work in have the other notebooks beside them, and nothing else of the repository.
        assert target in NOTEBOOKS, link
        if heading:
            headings = [c.source for c in nbformat.read(target, 4).cells if c.cell_type == "markdown"]
            assert re.search(rf"^#+ {heading}$", "\n".join(headings), re.MULTILINE), link
