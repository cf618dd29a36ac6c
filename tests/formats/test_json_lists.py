"""A JSON list is read a piece at a time, wherever the pieces are cut."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from looptool_kit.formats import _files

PIECES = (1, 2, 3, 7, 64, 1 << 20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture(params=PIECES)
def pieces(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(_files, "CHUNK", request.param)
    return int(request.param)


def values(path: Path, text: str) -> list[Any]:
    path.write_text(text, encoding="utf-8")
    return [row.value for row in _files.rows_of(path)]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(VALUES, max_size=5), wide=st.booleans(), ascii=st.booleans())
def test_the_items_are_those_of_the_whole(
    pieces: int, tmp_path: Path, rows: list[Any], wide: bool, ascii: bool
) -> None:
    text = json.dumps(rows, indent=3 if wide else None, ensure_ascii=ascii)
    assert values(tmp_path / "a.json", f" {text}\n ") == rows


def test_a_number_is_read_wherever_it_is_cut(pieces: int, tmp_path: Path) -> None:
    for before in range(8):
        text = "[" + " " * before + "-0.0, 12.5, 1e5, 1E+2, 3e-07, 7]"
        assert values(tmp_path / "a.json", text) == [-0.0, 12.5, 1e5, 1e2, 3e-07, 7]


@pytest.mark.parametrize(
    "text",
    ["[1, 2", "[", "[1,]", "[1 2]", "[1], [2]", '[{"a": 1}', '[{"a": 1}]]', "[1, nope]", '["a', "[,1]"],
)
def test_what_is_not_a_list_is_said(pieces: int, tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"a\.json is not a JSON list"):
        values(tmp_path / "a.json", text)


def test_an_item_that_breaks_the_strict_reading_is_rejected_alone(pieces: int, tmp_path: Path) -> None:
    found = values(
        tmp_path / "a.json", '[{"a": 1}, {"a": 1, "a": 2}, {"b": NaN}, {"c": "\\ud800"}, {"d": 4}]'
    )
    assert [type(v) for v in found[1:4]] == [ValueError, ValueError, UnicodeEncodeError]
    assert found[0] == {"a": 1} and found[4] == {"d": 4}
