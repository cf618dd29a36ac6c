"""The types that the pages are checked with name what Python has: traits, questions and their values."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

pytest.importorskip("anywidget")

from looptool_kit import widgets  # noqa: E402
from looptool_kit.core.records import PARTS, STATES, VERDICTS  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets import DisagreementView  # noqa: E402
from looptool_kit.widgets.rows import TableView  # noqa: E402
from looptool_kit.widgets.view import View  # noqa: E402

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "sample_data" / "run"
JS = ROOT / "widgets" / "js"
ORDINARY_WORDS = ("failed", "seed", "unjudged")
"""Names that a page also uses as words, e.g. of a check that failed."""
TYPES = (JS / "types.d.ts").read_text(encoding="utf-8")
VIEWS: list[type[View]] = [
    TableView,
    *(v for v in vars(widgets).values() if isinstance(v, type) and issubclass(v, View)),
]


def name_of(view: type[View]) -> str:
    """What the view's interfaces are called: `ProbeTraits`, `ProbeQuestions`."""
    return view.__name__.removesuffix("View")


def members(name: str) -> dict[str, str]:
    """Names of an interface's members, its parents' too, with the text behind each; empty: no interface."""
    found = re.search(rf"^interface {name}(?: extends (\w+))? {{\n(.*?)^}}", TYPES, re.MULTILINE | re.DOTALL)
    if not found:
        return {}
    own = dict(re.findall(r"^  (\w+)(.*)$", found[2], re.MULTILINE))
    return {**(members(found[1]) if found[1] else {}), **own}


def synced(view: type[View]) -> set[str]:
    """The traits that a view adds to those of every widget."""
    return set(view.class_traits(sync=True)) - set(View.class_traits(sync=True)) - {"_esm", "_css"}


def test_every_view_is_here() -> None:
    assert {name_of(v) for v in VIEWS} == set(re.findall(r"^interface (\w+)Traits", TYPES, re.MULTILINE))


@pytest.mark.parametrize("view", VIEWS, ids=name_of)
def test_traits_are_declared(view: type[View]) -> None:
    assert set(members(f"{name_of(view)}Traits")) == synced(view)


@pytest.mark.parametrize("view", VIEWS, ids=name_of)
def test_questions_are_declared_with_their_values(view: type[View]) -> None:
    declared = members(f"{name_of(view)}Questions")
    names = [name for name in dir(view) if name.startswith("on_") and not hasattr(View, name)]
    methods = {name.removeprefix("on_"): getattr(view, name) for name in names}
    assert set(declared) == set(methods)
    for name, method in methods.items():
        values = re.match(r"\((?:values: {(.*?)})?\)", declared[name])
        assert values, name
        asked = set(re.findall(r"(\w+):", values[1] or ""))
        wanted = set(list(inspect.signature(method).parameters)[1:])
        assert asked == wanted, name


@pytest.mark.parametrize("name", [n for n in (*VERDICTS, *STATES, *PARTS) if n not in ORDINARY_WORDS])
def test_names_of_verdicts_states_and_parts_come_from_python(name: str) -> None:
    for path in JS.glob("*.js"):
        assert not re.search(rf"""["'`]{name}["'`]""", path.read_text(encoding="utf-8")), path.name


def test_the_desk_offers_every_verdict() -> None:
    choices = DisagreementView(Run.open(RECORDED, read_only=True)).choices
    assert [name for name, _, _ in choices] == list(VERDICTS)
