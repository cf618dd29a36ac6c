"""Python files and functions as tools; none is called."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from looptool_kit.tools.catalog import load_tools
from looptool_kit.tools.functions import python_function_to_tool

MY_TOOLS = '''
"""Tools of a restaurant."""
import dataclasses, datetime, enum
from os.path import join  # not ours, so no tool
from typing import Annotated, Literal, Optional, TypedDict
from pydantic import BaseModel, Field

import helper

class Mood(enum.Enum):
    CALM = "calm"
    LOUD = "loud"

@dataclasses.dataclass
class Place:
    """Where to sit."""
    row: int
    window: bool = False

class Dish(BaseModel):
    name: str = Field(description="What it is called.")
    title: str | None = None
    sides: list["Dish"] = []

class Wish(TypedDict, total=False):
    text: str

def book_table(
    day: datetime.date,
    at: datetime.datetime,
    people: Annotated[int, Field(ge=1, le=20)] = 2,
    unit: Literal["inside", "outside"] = "inside",
    note: Optional[str] = None,
    place: Place = None,
    mood: Mood | None = None,
    dishes: list[Dish] = [],
    wish: Wish | None = None,
    prices: dict[str, float] | None = None,
    json=None,
    *rest: int,
    **more: str,
) -> str:
    """Book a table.

    The guests are told by mail.

    Args:
        day: The day,
            in local time.
        people (int): How many.
    """
    raise RuntimeError("tools are never called when loaded")

async def cancel(booking_id: str):
    """Cancel.

    :param booking_id: From the mail.
    """

def numpy_style(a: float, b=1.5):
    """Add.

    Parameters
    ----------
    a : float
        The first.
    """

def _hidden(x: int): ...

class Helper: ...
'''


@pytest.fixture
def my_tools(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("X = 1\n")
    path = tmp_path / "my_tools.py"
    path.write_text(MY_TOOLS)
    return path


def test_a_python_file_gives_its_public_functions(my_tools: Path) -> None:
    book, cancel, add = load_tools(my_tools)
    assert (book.name, cancel.name, add.name) == ("book_table", "cancel", "numpy_style")
    assert book.description == "Book a table.\nThe guests are told by mail."
    assert book.required == ("day", "at")
    assert book.properties == {
        "day": {"type": "string", "format": "date", "description": "The day, in local time."},
        "at": {"type": "string", "format": "date-time"},
        "people": {"type": "integer", "minimum": 1, "maximum": 20, "default": 2, "description": "How many."},
        "unit": {"type": "string", "enum": ["inside", "outside"], "default": "inside"},
        "note": {"type": ["string", "null"], "default": None},
        "place": {
            "type": ["object", "null"],
            "description": "Where to sit.",
            "properties": {"row": {"type": "integer"}, "window": {"type": "boolean", "default": False}},
            "required": ["row"],
            "default": None,
        },
        "mood": {"type": ["string", "null"], "enum": ["calm", "loud", None], "default": None},
        "dishes": {
            "type": "array",
            "default": [],
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "What it is called."},
                    "title": {"type": ["string", "null"], "default": None},
                    "sides": {
                        "type": "array",
                        "default": [],
                        "items": {"type": "object", "description": "A Dish, not described further here."},
                    },
                },
                "required": ["name"],
            },
        },
        "wish": {"type": ["object", "null"], "properties": {"text": {"type": "string"}}, "default": None},
        "prices": {"type": ["object", "null"], "additionalProperties": {"type": "number"}, "default": None},
        "json": {"default": None},
    }
    assert cancel.properties == {"booking_id": {"type": "string", "description": "From the mail."}}
    assert add.properties == {"a": {"type": "number", "description": "The first."}, "b": {"default": 1.5}}
    assert str(my_tools.parent) not in sys.path


def test_all_decides_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_text("__all__ = ['b']\ndef a(): ...\ndef b(): ...\n")
    assert [t.name for t in load_tools(path)] == ["b"]
    path.write_text("__all__ = ['c']\n")
    with pytest.raises(ValueError, match="'c', which the file does not define"):
        load_tools(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:\n    pass\n", "line 1: SyntaxError"),
        ("import os\n\nx = 1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("import no_such_module_at_all\n", "line 1: ModuleNotFoundError"),
        ("\nraise SystemExit(3)\n", "line 2: SystemExit"),
        ("x = 1\n", "holds no tools"),
        ("def f(a: 'Nope'): ...\n", r"row 1 \(f\): the type hints of f cannot be read: NameError"),
    ],
)
def test_a_python_file_that_does_not_import_is_named_with_its_line(
    source: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(ValueError, match=r"broken\.py.*" + words):
        load_tools(path)


def test_functions_are_tools() -> None:
    class Weather:
        def forecast(self, city: str, days: int = 3) -> str:
            """Forecast."""
            return city

    def with_callback(city: str, done: Callable[[int], int]) -> None: ...

    forecast, later = load_tools([Weather().forecast, Weather().forecast])
    assert (forecast.name, later.name, list(forecast.properties), forecast.required) == (
        "forecast",
        "forecast_2",
        ["city", "days"],
        ("city",),
    )
    with pytest.raises(ValueError, match=r"with_callback: done has a type without a JSON form"):
        python_function_to_tool(with_callback)
    rejected: list[tuple[int, str, str]] = []
    assert len(load_tools([with_callback, Weather().forecast], lambda *row: rejected.append(row))) == 1
    assert rejected[0][:2] == (1, "with_callback")
    with pytest.raises(ValueError, match="item 1 .* not a function"):
        load_tools(["print"])  # type: ignore[list-item]


KINDS: list[Any] = [
    int, str, float, bool, datetime.date, datetime.time, Any, list[int], dict[str, list[str]], int | None,
    Literal["a", "b"], Literal[1, 2], tuple[int, str],
]  # fmt: skip


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.sampled_from(KINDS), max_size=6
    )
)
def test_any_signature_gives_a_valid_schema_with_its_own_names(hints: dict[str, Any]) -> None:
    import inspect
    import keyword

    hints = {k: v for k, v in hints.items() if not keyword.iskeyword(k)}

    def f(**given: Any) -> None: ...

    named = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY) for k in hints]
    f.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    f.__annotations__ = dict(hints)
    tool = python_function_to_tool(f)
    Draft202012Validator.check_schema(tool.parameters)
    assert list(tool.properties) == list(hints) and tool.required == tuple(hints)


ENDS = [
    "raise SystemExit(0)",
    "raise GeneratorExit",
    "raise BaseException('x\\n\\x1b[31m')",
    "class E(Exception):\n    def __str__(self): raise RuntimeError\nraise E",
    "def f(): f()\nf()",
    "__all__ = 5",
    "__all__ = [5, None]",
    "def __getattr__(name): raise KeyError(name)\n__all__ = ['gone']",
    "import sys\nsys.path.clear()\nsys.modules.pop(__name__)\n1 / 0",
]


@pytest.mark.parametrize("ends", ENDS)
def test_whatever_a_file_raises_is_a_sentence_that_names_it(tmp_path: Path, ends: str) -> None:
    file, path = tmp_path / "my_tools.py", list(sys.path)
    file.write_text(f"def good(a: int):\n    'x'\n{ends}\n")
    try:
        with pytest.raises(ValueError, match=r"my_tools\.py.*the file must import cleanly") as error:
            load_tools(file)
    finally:
        sys.path[:] = path
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("hint", ["exit()", "(_ for _ in ()).throw(GeneratorExit)", "1 / 0"])
def test_a_hint_that_ends_the_program_is_one_rejected_tool(tmp_path: Path, hint: str) -> None:
    file = tmp_path / "my_tools.py"
    file.write_text(f"def good(a: int): 'x'\ndef bad(a: {hint!r}): 'x'\ndef half(a: str = '\\ud800'): 'x'\n")
    rejected: list[str] = []
    tools = load_tools(file, lambda row, raw, reason: rejected.append(raw))
    assert [t.name for t in tools] == ["good"] and rejected == ["bad", "half"]


def test_a_file_that_goes_to_another_folder_takes_nobody_along(tmp_path: Path) -> None:
    here = Path.cwd()
    (tmp_path / "my_tools.py").write_text("import os\nos.chdir('/')\ndef good(a: int): 'x'\n")
    assert load_tools(tmp_path / "my_tools.py") and Path.cwd() == here
