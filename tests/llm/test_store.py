"""The store of paid answers: damaged, unreadable, not to be written to."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("aiohttp")

from mock_llm import MockLLM
from paid_calls import at, question

from looptool_kit.llm.client import complete
from looptool_kit.llm.store import StoreError, copy, count_of, keep, open_store, spent


def broken(store: Path, how: str) -> None:
    """Damage a store as disks and people do."""
    if how == "text":
        store.write_text("this is no database\n" * 100)
    else:
        data = bytearray(store.read_bytes())
        start = 4096 if how == "pages" else 100
        data[start:] = os.urandom(len(data) - start) if how == "pages" else b"\xff" * (len(data) - start)
        store.write_bytes(data)


@pytest.mark.parametrize("how", ["text", "pages", "head"])
def test_a_damaged_store_is_moved_aside_and_the_next_call_goes_on(store: Path, how: str) -> None:
    requests = [question(f"{i} {'word ' * 200}") for i in range(60)]
    with MockLLM(lambda _: "there") as server:
        complete(requests, at(server, retries=1), store)
        broken(store, how)
        damaged = store.read_bytes()
        with pytest.raises(StoreError) as error:
            complete(requests, at(server, retries=1), store)
        aside = store.with_name("calls.sqlite.damaged")
        assert (
            str(aside) in str(error.value)
            and "same command again" in str(error.value)
            and "\n" not in str(error.value)
        )
        assert aside.read_bytes() == damaged and not store.exists()
        assert [r.text for r in complete(requests, at(server, retries=1), store)] == ["there"] * 60
        broken(store, how)
        with pytest.raises(StoreError, match="damaged-1"):
            complete(requests, at(server, retries=1), store)
    assert aside.read_bytes() == damaged


def test_a_row_that_cannot_be_read_is_asked_again(store: Path) -> None:
    with MockLLM(lambda _: "there") as server:
        complete([question("a"), question("b")], at(server, retries=1), store)
        with sqlite3.connect(store) as db:
            db.execute("UPDATE calls SET answer = '{'")
        assert spent(store)["mock"].failed == 2
        replies = complete([question("a"), question("b")], at(server, retries=1), store)
    assert [r.text for r in replies] == ["there"] * 2 and len(server.log) == 4


def test_looking_at_what_was_spent_changes_nothing(store: Path) -> None:
    store.parent.mkdir()
    store.write_text("this is no database\n" * 100)
    with pytest.warns(UserWarning, match="cannot be read"):
        assert spent(store) == {}
    assert store.read_text() == "this is no database\n" * 100 and list(store.parent.iterdir()) == [store]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_that_may_not_be_written_is_a_paragraph(store: Path) -> None:
    with MockLLM(lambda _: "there") as server:
        complete([question("a")], at(server, retries=1), store)
        store.chmod(0o400)
        store.parent.chmod(0o500)
        try:
            with pytest.raises(StoreError, match="cannot be used: .*write to its folder"):
                complete([question("b")], at(server, retries=1), store)
        finally:
            store.parent.chmod(0o700)


def test_a_folder_in_the_place_of_the_store_is_a_paragraph(store: Path) -> None:
    store.mkdir(parents=True)
    with MockLLM(lambda _: "there") as server, pytest.raises(StoreError, match="not a plain file"):
        complete([question("a")], at(server, retries=1), store)


def test_a_copy_holds_what_a_killed_process_left_beside_the_store(store: Path, tmp_path: Path) -> None:
    with closing(open_store(store)) as db:
        keep(db, store, "a", "m", "{}")
        beside = store.with_name(f"{store.name}-wal")
        assert beside.stat().st_size > 0, "not yet in the store itself"
        killed = tmp_path / "killed" / store.name
        killed.parent.mkdir()
        shutil.copy(store, killed)
        shutil.copy(beside, killed.with_name(beside.name))
    copy(killed, tmp_path / "copy.sqlite")
    assert count_of(tmp_path / "copy.sqlite", "m") == 1
