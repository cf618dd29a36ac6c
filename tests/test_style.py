"""What a machine can check of STYLE.md: first lines of docstrings, numbers, and words."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import looptool_kit

ROOT = Path(__file__).parent.parent
MAX_WORDS = 12
PYTHON = sorted([*(ROOT / "looptool_kit").rglob("*.py"), *(ROOT / "widgets").rglob("*.py")])
HASHED = ROOT / "looptool_kit" / "policy" / "engines"
"""Not held to it: tests/vllm-tested.sha256 hashes these files, so a word costs a run of the vLLM tests."""
USERS = ROOT / "looptool_kit" / "world" / "domains"
"""Words of users, not of this project."""
TEXTS = sorted(
    [
        *PYTHON,
        *(ROOT / "looptool_kit").rglob("*.jinja"),
        *(ROOT / "looptool_kit").rglob("*.toml"),
        *(ROOT / "widgets").rglob("*.js"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "notebooks").rglob("*.py"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
    ]
)


def idioms(text: str) -> dict[str, str]:
    """Idiom -> the plain word, as the table `not | but` has them."""
    rows = re.findall(r"^  \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    return {idiom: plain for left, plain in rows if left not in ("not", "---") for idiom in left.split(", ")}


IDIOMS = idioms((ROOT / "STYLE.md").read_text(encoding="utf-8"))


def idioms_in(text: str) -> list[str]:
    words = " ".join(text.split())
    return [
        f"{i}: write {plain}" for i, plain in IDIOMS.items() if re.search(rf"\b{i}\b", words, re.IGNORECASE)
    ]


def first_lines(source: str) -> Iterator[tuple[int, str]]:
    """(line, first line of the docstring) of each public function, method and class."""

    def within(node: ast.Module | ast.ClassDef) -> Iterator[tuple[int, str]]:
        for child in node.body:
            if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                continue
            if child.name.startswith("_"):
                continue
            if doc := ast.get_docstring(child):
                yield child.lineno, doc.partition("\n")[0]
            if isinstance(child, ast.ClassDef):
                yield from within(child)

    return within(ast.parse(source))


def faults(source: str) -> list[str]:
    return [
        f"line {line}: {text}"
        for line, text in first_lines(source)
        if len(text.split()) > MAX_WORDS or not text.endswith(".")
    ]


@pytest.mark.parametrize(
    "file", [f for f in PYTHON if HASHED not in f.parents], ids=lambda f: str(f.relative_to(ROOT))
)
def test_first_lines_are_short_sentences(file: Path) -> None:
    assert not faults(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "file",
    [f for f in TEXTS if not {HASHED, USERS} & set(f.parents)],
    ids=lambda f: str(f.relative_to(ROOT)),
)
def test_nothing_is_said_in_private_idioms(file: Path) -> None:
    assert not idioms_in(file.read_text(encoding="utf-8"))


def public_functions() -> Iterator[tuple[str, str]]:
    """(name, docstring) of the functions that `import looptool_kit` gives, and of its classes' methods."""
    for name in looptool_kit.__all__:
        thing = getattr(looptool_kit, name)
        found = inspect.getmembers(thing, callable) if inspect.isclass(thing) else [(name, thing)]
        for member, function in found:
            own = (getattr(function, "__module__", None) or "").startswith("looptool_kit")
            if own and not member.startswith("_") and not inspect.isclass(function):
                yield f"{name}.{member}", inspect.getdoc(function) or ""


def test_the_public_functions_begin_with_a_verb() -> None:
    names = dict(public_functions())
    assert len(names) > 60 and {"verify.verify", "Run.decide", "Samples.read"} <= names.keys()
    noun = re.compile(
        r"[^A-Z]|[A-Z]_|(The|An?|One|Every|All|Each|What|Where|Which|How|Whether|Why|True|Its|Ids?|Rows?)\b"
    )
    assert {name: doc.partition("\n")[0] for name, doc in names.items() if noun.match(doc)} == {}


def numbers_without_a_reason(source: str) -> list[str]:
    """Numbers at the level of a module that have neither a docstring below nor a comment."""
    body, lines = ast.parse(source).body, source.split("\n")
    found = []
    for node, below in zip(body, [*body[1:], None], strict=True):
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        value = value.operand if isinstance(value, ast.UnaryOp) else value
        if not (isinstance(value, ast.Constant) and type(value.value) in (int, float)):
            continue
        told = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        above = lines[node.lineno - 2].lstrip() if node.lineno > 1 else ""
        if not told and not above.startswith("#") and "  #" not in lines[node.lineno - 1]:
            found.append(f"line {node.lineno}: {lines[node.lineno - 1]}")
    return found


@pytest.mark.parametrize("file", PYTHON, ids=lambda f: str(f.relative_to(ROOT)))
def test_a_threshold_or_weight_has_a_line_that_says_why(file: Path) -> None:
    assert not numbers_without_a_reason(file.read_text(encoding="utf-8"))


SIGNED = re.compile(r":\+,?\.\d")
"""A difference as text, whose negative zero is -0.0: the letter z before the digits prevents it."""


@pytest.mark.parametrize("file", PYTHON, ids=lambda f: str(f.relative_to(ROOT)))
def test_no_difference_is_written_as_minus_zero(file: Path) -> None:
    assert not SIGNED.findall(file.read_text(encoding="utf-8"))


def test_the_checks_see_what_they_are_for() -> None:
    long = " ".join(["word"] * (MAX_WORDS + 1))
    functions = (f'def a():\n    """{long}."""', 'def b():\n    """No full stop"""')
    method = 'class C:\n    """One."""\n    def d(self):\n        """Wraps to\n        two."""'
    bad = "\n".join([*functions, method])
    assert len(faults(bad)) == 3 and not faults('def _a():\n    """no stop"""\ndef b():\n    """Short."""')
    assert len(IDIOMS) > 20 and idioms_in("Mend it, then it goes\non.") == [
        "mend: write fix", "goes on: write resumes, continue",
    ]  # fmt: skip
    assert not idioms_in("recommended; she is going on")
    assert f"{-0.04:+.1f} {-0.04:+z.1f}" == "-0.0 +0.0"
    assert SIGNED.search('f"{difference:+.1f}"') and not SIGNED.search('f"{difference:+z.1f}"')
    given = 'A = 0.5\nB = -1\n"""Why."""\n# Why.\nC = 2\nD = 3  # why\nE = True\nF = "x"'
    assert numbers_without_a_reason(given) == ["line 1: A = 0.5"]
