"""Make the notebooks: each source NN_name.py (jupytext, percent format) becomes NN_name.ipynb, executed.

    python notebooks/build.py                    all of them; the loop runs for real, so this takes a while
    python notebooks/build.py 00_tour 05_teach   these
    python notebooks/build.py --keep-outputs     new cells; unchanged ones keep their outputs, nothing is run

What is saved shows without a kernel: tables and pictures, no widget state, no progress bars, no path of the
machine that ran it.
"""

from __future__ import annotations

import argparse
import ast
import os
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
import nbformat

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
LIMIT = 1_000_000
_LINTER = re.compile(r"  # (?:noqa: \w+|fmt: skip)(?: - (?:IPython's(?:; )?)?)?(.*)$")
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def names() -> list[str]:
    """The notebooks, in order."""
    return sorted(p.stem for p in HERE.glob("[0-9][0-9]_*.py"))


def convert(name: str) -> Any:
    """Read a source as a notebook without outputs.

    Cell ids depend on the place alone, so that a rebuild changes nothing else.
    """
    notebook = jupytext.read(HERE / f"{name}.py", fmt="py:percent")
    notebook.metadata = nbformat.from_dict(KERNEL)
    for at, cell in enumerate(notebook.cells):
        cell["id"] = f"{name.replace('_', '-')}-{at:02d}"
        cell.source = without_linter(cell.source)
    return notebook


def without_linter(source: str) -> str:
    """Remove what a cell's comments say to ruff.

    What they say to people stays.
    """
    lines = []
    for line in source.split("\n"):
        found = _LINTER.search(line)
        words = f"  # {found[1]}" if found and found[1] else ""
        lines.append(line[: found.start()] + words if found else line)
    return "\n".join(lines).strip("\n")


def execute(notebook: Any, runs: Path, seconds: int = 3600, **environment: str) -> None:
    """Run all cells in a fresh kernel, with runs in `runs`.

    Raises:
        nbclient.exceptions.CellExecutionError: At the first error.
    """
    from nbclient import NotebookClient

    # What a person's decisions are signed with must not depend on who builds.
    own = {
        "LOOPTOOL_RUNS": str(runs),
        "LOGNAME": "reader",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **environment,
    }
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        store_widget_state=False,
    )
    client.execute(env={**os.environ, **own})


def clean(notebook: Any, runs: Path) -> None:
    """Leave only what a reader without a kernel can see."""
    notebook.metadata.pop("widgets", None)
    places = [
        (str(p), to)
        for p, to in ((runs, "runs"), (ROOT / "runs", "runs"), (ROOT, "."), (Path.home(), "~"))
        if len(str(p)) > 1
    ]
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.metadata.pop("execution", None)
        kept = _joined([o for o in _joined(cell.outputs) if not _noise(o)])
        cell.outputs = [_without(o, places) for o in kept]


def _noise(output: Any) -> bool:
    """Progress bars, which are widgets without a static form, and streams that hold nothing else."""
    data = output.get("data")
    if data is not None:
        return WIDGET in data and "text/html" not in data
    return output.output_type == "stream" and not _last_states(output.text).strip()


def _joined(outputs: list[Any]) -> list[Any]:
    """Streams of the same name that follow each other, as one."""
    out: list[Any] = []
    for output in outputs:
        if out and output.output_type == out[-1].output_type == "stream" and output.name == out[-1].name:
            out[-1].text += output.text
        else:
            out.append(output)
    return out


def _without(output: Any, places: list[tuple[str, str]]) -> Any:
    if output.output_type == "stream":
        output.text = _last_states(output.text)
    elif output.get("data"):
        output.data.pop(WIDGET, None)
        if "text/plain" in output.data:
            # Addresses differ from run to run, colours mean nothing here.
            output.data["text/plain"] = re.sub(
                r" at 0x[0-9a-f]+>", ">", _COLOUR.sub("", output.data["text/plain"])
            )
    return _replaced(output, places)


def _last_states(text: str) -> str:
    """Text as a terminal would be left with it: of a line that was written over and over the last state,
    without bars and colours.
    """
    lines = [_COLOUR.sub("", line).split("\r")[-1] for line in text.replace("\r\n", "\n").split("\n")]
    return "\n".join(line for line in lines if not re.search(r"\d+%\|.*\|", line))


def _replaced(value: Any, places: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        for path, to in places:
            value = value.replace(path, to)
        return value
    if isinstance(value, list):
        return [_replaced(v, places) for v in value]
    if isinstance(value, dict):
        for key in value:
            value[key] = _replaced(value[key], places)
    return value


def with_outputs_of(notebook: Any, old: Path) -> None:
    """Give cells whose code has not changed their outputs in `old`."""
    if old.exists():
        cells = nbformat.read(old, 4).cells
        known = {_code(c.source): c for c in cells if c.cell_type == "code"}
        for cell in notebook.cells:
            if cell.cell_type == "code" and (before := known.get(_code(cell.source))):
                cell.outputs, cell.execution_count = before.outputs, before.execution_count


def _code(source: str) -> str:
    """What decides a cell's outputs: its code without comments; with them where it is not plain Python."""
    try:
        return ast.dump(ast.parse(source))
    except SyntaxError:
        return source


def main() -> None:
    """Build what is asked for."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names()))
    ask.add_argument("--keep-outputs", action="store_true")
    args = ask.parse_args()
    if unknown := set(args.names) - set(names()):
        ask.error(f"there is no notebook {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    for name in args.names or names():
        started, path = time.monotonic(), HERE / f"{name}.ipynb"
        notebook = convert(name)
        with tempfile.TemporaryDirectory() as runs:
            if args.keep_outputs:
                with_outputs_of(notebook, path)
            else:
                execute(notebook, Path(runs))
            clean(notebook, Path(runs))
        text = nbformat.writes(notebook) + "\n"
        if len(text.encode()) > LIMIT:
            sys.exit(
                f"{path.name} would be {len(text.encode()):,} bytes; the limit is {LIMIT:,}. Show less in its"
                " cells."
            )
        path.write_text(text, encoding="utf-8")
        print(f"{path.name}: {len(text.encode()) / 1000:.0f} kB, {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
