"""Files that are cut short, overwritten or of another kind: every command that reads one names it."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.run.folder import Run

SAMPLES = Path(__file__).parents[2] / "sample_data" / "run" / "iterations" / "01" / "samples.parquet"
ROW = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello."}]}
LINES = (json.dumps(ROW) + "\n").encode() * 500


def overwritten(content: bytes, at: int) -> bytes:
    return content[:at] + b"\0" * 60 + content[at + 60 :]


FILES = {
    "cut.jsonl.gz": gzip.compress(LINES)[:60],
    "other.jsonl.gz": b"\x1f\x8b" + b"no gzip at all",
    "page.jsonl.gz": overwritten(gzip.compress(LINES, 0), 400),
    "cut.parquet": SAMPLES.read_bytes()[:3000],
    "page.parquet": overwritten(SAMPLES.read_bytes(), 300),
    "empty.parquet": b"",
    "other.arrow": b"\x7f" * 300,
    "deep.json": b"[" * 200_000,
    "deep.jsonl": b"[" * 200_000 + b"\n",
    "cut.json": LINES[:40],
    "number.json": b"7",
    "empty.jsonl": b"",
}
COMMANDS = {
    "import": ["import", "FILE", "OUT.jsonl"],
    "audit": ["audit", "FILE"],
    "judge-check": ["judge-check", "FILE"],
    "init": ["init", "OUT", "--tools", "FILE"],
    "seeds": ["seed", "OUT", "--preset", "cpu-quick", "--set", "seeds.source=FILE"],
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_file_is_named_and_never_a_traceback(tmp_path: Path, name: str, command: str) -> None:
    file = tmp_path / name
    file.write_bytes(FILES[name])
    places = {"FILE": str(file), "OUT": str(tmp_path / "out")}
    arguments = []
    for word in COMMANDS[command]:
        for key, place in places.items():
            word = word.replace(key, place)
        arguments.append(word)
    done = CliRunner().invoke(app, arguments)
    error = done.exception
    assert isinstance(error, ValueError | FileNotFoundError | RunError | None), repr(error)
    assert name in f"{done.output}{error or ''}" or not error, done.output


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_without_end_is_one_rejected_row(tmp_path: Path, end: bytes) -> None:
    file, out = tmp_path / "bomb.jsonl.gz", tmp_path / "out.jsonl"
    file.write_bytes(gzip.compress(LINES + b'{"messages": "' + b"a" * (5 << 23) + b'"}' + end + LINES))
    done = CliRunner().invoke(app, ["import", str(file), str(out)])
    # Without an end the good line behind it belongs to it.
    assert f"{999 - (not end)}  samples that appear twice" in done.output, done.output
    assert "1 row rejected" in done.output and "longer than 16,777,216 characters" in done.output
    assert (tmp_path / "out.rejected.jsonl").stat().st_size < 10_000


def test_an_import_that_failed_can_be_made_again(tmp_path: Path) -> None:
    file, out, other = tmp_path / "data.jsonl", tmp_path / "out.jsonl", tmp_path / "other.jsonl"
    file.write_bytes(LINES)
    other.write_bytes(LINES)
    failed = CliRunner().invoke(app, ["import", str(file), str(out), "--form", "xlam"])
    reasons = (tmp_path / "out.rejected.jsonl").read_text()
    assert "Leave out --form" in str(failed.exception) and "KeyError" not in failed.output
    assert json.loads(reasons.splitlines()[0])["reason"].startswith("there is no key '")
    # Of another file they are not replaced, nor where the import they belong to has a result.
    done = CliRunner().invoke(app, ["import", str(other), str(out)])
    assert "exists already" in str(done.exception)
    done = CliRunner().invoke(app, ["import", str(file), str(out)])
    assert done.exit_code == 0 and out.exists() and not (tmp_path / "out.rejected.jsonl").exists()
    out.unlink()
    (tmp_path / "out.rejected.jsonl").write_text("mine")
    assert "exists already" in str(CliRunner().invoke(app, ["import", str(file), str(out)]).exception)


def test_a_run_errors_text_is_not_obeyed_by_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('format = 2\n"\\u001b[2Jgone" = 1\n')
    with pytest.raises(RunError) as error:
        Run.open(tmp_path)
    assert "gone" in str(error.value) and "\x1b" not in str(error.value)


@pytest.mark.parametrize("name", ["a.json", "a.json.gz", "a.parquet", "a.arrow"])
def test_a_row_without_end_is_rejected_in_every_form(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setattr("looptool_kit.formats._files.MAX_LINE", 10_000)
    rows = [ROW, {"messages": [{"role": "user", "content": "a" * 20_000}, ROW["messages"][1]]}]
    file, out = tmp_path / name, tmp_path / "out.jsonl"
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif name.endswith(".arrow"):
        table = pa.Table.from_pylist(rows)
        with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    else:
        text = json.dumps(rows).encode()
        file.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    done = CliRunner().invoke(app, ["import", str(file), str(out)])
    assert "Samples(1 rows)" in done.output and "row 2: the row is longer than 10,000" in done.output
    assert (tmp_path / "out.rejected.jsonl").stat().st_size < 1000


def test_a_json_list_that_no_memory_holds_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looptool_kit.formats._files.MAX_DOCUMENT", 10_000)
    file = tmp_path / "bomb.json.gz"
    file.write_bytes(gzip.compress(b'["' + b"a" * 100_000_000 + b'"]'))
    for command in (["import", str(file), str(tmp_path / "out.jsonl")], ["audit", str(file)]):
        error = CliRunner().invoke(app, command).exception
        assert "holds more than 10,000 characters" in str(error) and "one row a line" in str(error)


@pytest.mark.parametrize("name", ["out.json", "out.csv", "out.txt", "out"])
def test_an_import_writes_no_file_under_a_name_that_says_another_form(tmp_path: Path, name: str) -> None:
    file = tmp_path / "data.jsonl"
    file.write_bytes(LINES)
    error = CliRunner().invoke(app, ["import", str(file), str(tmp_path / name)]).exception
    assert "give a name that ends in .jsonl or .parquet" in str(error) and not (tmp_path / name).exists()
