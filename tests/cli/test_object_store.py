"""Import, export and audit read and write `s3://`: against a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from s3_server import Store, serving
from typer.testing import CliRunner

from looptool_kit import formats, world
from looptool_kit.cli import app
from looptool_kit.core import remote
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run


@pytest.fixture(scope="module")
def rows() -> Samples:
    return world.generate(30, seed=4)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with serving() as server:
        server.buckets["data"] = {}
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "made-up-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up-secret")
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield server


def lines(rows: Samples, *more: str) -> bytes:
    texts = [json.dumps(formats.to_row(s, "openai", at)) for at, s in enumerate(rows)]
    return "\n".join([*texts, *more]).encode()


def looptool(*words: str) -> str:
    done = CliRunner().invoke(app, list(words))
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output.replace("\n", " ")


def test_import_reads_an_object_and_writes_two(store: Store, rows: Samples, tmp_path: Path) -> None:
    store.buckets["data"]["in/their.jsonl"] = lines(rows, '{"messages": 3}')
    said = looptool("import", "s3://data/in/their.jsonl", "s3://data/out/ours.parquet")
    assert "Samples(30 rows) in s3://data/out/ours.parquet" in said
    assert "1 row rejected, in s3://data/out/ours.rejected.jsonl" in said
    assert store.writes == ["data/out/ours.parquet", "data/out/ours.rejected.jsonl"]
    (tmp_path / "ours.parquet").write_bytes(store.buckets["data"]["out/ours.parquet"])
    assert [s.messages for s in Samples.read(tmp_path / "ours.parquet")] == [s.messages for s in rows]
    rejected = json.loads(store.buckets["data"]["out/ours.rejected.jsonl"])
    assert rejected["file"] == "s3://data/in/their.jsonl" and rejected["row"] == 31


def test_an_import_of_nothing_sends_the_reasons_alone(store: Store) -> None:
    store.buckets["data"]["in/their.jsonl"] = b'{"messages": 3}\n'
    done = CliRunner().invoke(app, ["import", "s3://data/in/their.jsonl", "s3://data/out/ours.jsonl"])
    assert "s3://data/out/ours.rejected.jsonl gives each row's reason" in str(done.exception)
    assert store.writes == ["data/out/ours.rejected.jsonl"]


def test_a_table_of_many_rows_goes_to_the_store_as_its_parts_and_comes_back(
    store: Store, rows: Samples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looptool_kit.core.tables.GROUP_ROWS", 5)
    monkeypatch.setattr("looptool_kit.core.parts.MAX_FILE_ROWS", 10)
    store.buckets["data"]["in/their.jsonl"] = lines(rows)
    looptool("import", "s3://data/in/their.jsonl", "s3://data/out/ours.parquet")
    names = [f"out/ours.parquet/part-0000{n}-of-00003.parquet" for n in range(3)]
    assert sorted(store.buckets["data"])[1:] == names
    looptool("import", "s3://data/out/ours.parquet", str(tmp_path / "back.parquet"))
    back = Samples.read(tmp_path / "back.parquet")
    assert [s.messages for s in back] == [s.messages for s in rows] and (tmp_path / "back.parquet").is_dir()


def test_a_folder_of_objects_is_one_dataset(store: Store, rows: Samples, tmp_path: Path) -> None:
    store.buckets["data"] |= {
        "set/data/train-0.jsonl": lines(rows[:20]),
        "set/data/test-0.jsonl": lines(rows[20:]),
        "settings/other.jsonl": lines(rows[:1]),
    }
    looptool("import", "s3://data/set", str(tmp_path / "ours.jsonl"))
    found = Samples.read(tmp_path / "ours.jsonl")
    assert [s.split for s in found] == ["train"] * 20 + ["test"] * 10


def test_export_sends_the_rows_and_the_card(store: Store, rows: Samples, tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        rows.write(run.folder(1) / "samples.parquet")
    said = looptool("export", str(tmp_path / "run"), "s3://data/sets/d1", "--form", "openai")
    assert said.endswith("in s3://data/sets/d1 ") and "D1: 30 samples" in said
    assert store.writes == ["data/sets/d1/README.md", "data/sets/d1/data/train-00000-of-00001.parquet"]
    looptool("export", str(tmp_path / "run"), "s3://data/sets/d1.jsonl", "--form", "openai")
    assert store.writes[2:] == ["data/sets/d1.jsonl", "data/sets/d1.jsonl.md"]
    assert store.buckets["data"]["sets/d1.jsonl"] == lines(rows) + b"\n"


def test_nothing_that_is_there_is_written_over(store: Store, rows: Samples, tmp_path: Path) -> None:
    store.buckets["data"] |= {"in.jsonl": lines(rows), "out.parquet": b"", "card.jsonl.md": b""}
    done = CliRunner().invoke(app, ["import", "s3://data/in.jsonl", "s3://data/out.parquet"])
    assert isinstance(done.exception, FileExistsError) and "s3://data/out.parquet exists" in str(
        done.exception
    )
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        rows.write(run.folder(1) / "samples.parquet")
    done = CliRunner().invoke(app, ["export", str(tmp_path / "run"), "s3://data/card.jsonl"])
    assert isinstance(done.exception, FileExistsError) and "card.jsonl.md exists" in str(done.exception)
    assert not store.writes


def test_an_audit_reads_and_names_the_object(store: Store, rows: Samples) -> None:
    store.buckets["data"] |= {"mine.jsonl": lines(rows, "{"), "test.jsonl": lines(rows[:3])}
    said = looptool("audit", "s3://data/mine.jsonl", "--against", "s3://data/test.jsonl")
    assert "leak" in said and "unreadable" in said and "31 samples" in said
    done = CliRunner().invoke(app, ["audit", "s3://data/mine.jsonl", "--jsonl", "s3://data/found.jsonl"])
    assert isinstance(done.exception, ValueError) and "s3://data/found.jsonl" in str(done.exception)


@pytest.mark.parametrize(
    ("source", "kind", "words"),
    [
        ("s3://data/nothing.jsonl", FileNotFoundError, "s3://data/nothing.jsonl does not exist"),
        ("s3://data/damaged.parquet", ValueError, "s3://data/damaged.parquet is damaged behind row 0"),
        ("gs://data/rows.jsonl", ValueError, "of object stores s3:// is read and written"),
    ],
)
def test_what_cannot_be_read_is_named(
    store: Store, tmp_path: Path, source: str, kind: type[Exception], words: str
) -> None:
    store.buckets["data"]["damaged.parquet"] = b"PAR1 and no more"
    done = CliRunner().invoke(app, ["import", source, str(tmp_path / "out.jsonl")])
    assert isinstance(done.exception, kind) and words in str(done.exception)
    assert not list(tmp_path.iterdir())


def test_a_store_that_refuses_is_named_with_the_remedy(store: Store) -> None:
    words = r"s3://elsewhere/out.jsonl cannot be written.*NO_SUCH_BUCKET.*AWS_ENDPOINT_URL"
    with pytest.raises(RunError, match=words), remote.written(Path("s3://elsewhere/out.jsonl")) as out:
        out.write_text("")


def test_what_failed_is_not_sent(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), remote.written(Path("s3://data/out.jsonl")) as out:
        out.write_text("half")
        raise ZeroDivisionError
    assert not store.writes


def test_a_key_cannot_lead_out_of_its_folder(store: Store) -> None:
    store.buckets["data"]["set/../../planted.jsonl"] = b"{}"
    with pytest.raises(ValueError, match="leads out"), remote.readable(Path("s3://data/set")):
        pass


def test_paths_of_this_machine_stay_as_they_are(tmp_path: Path) -> None:
    for path in (tmp_path / "a.jsonl", Path("C:/data/a.jsonl"), Path("a/b"), Path("s3/b")):
        assert remote.url_of(path) == ""
        with remote.readable(path) as same, remote.written(path) as also:
            assert same is path and also is path
