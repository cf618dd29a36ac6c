"""Check the pages of widgets/js with tsc, eslint and prettier; `make lint-js`.

    .venv/bin/python .ci/lint_js.py [--fix]

A page is several files, joined into the one module that a browser loads (`script` in widgets/view.py). So the
joined pages are what tsc and eslint see, in a temporary folder; findings are reported at the lines of the
files. --fix lets prettier rewrite the files. The tools come from npm, in the versions of .ci/js, into
.ci/js/node_modules. Without node and npm, or where npm cannot fetch the tools, nothing is checked and a line
says so.
"""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / ".ci" / "js"
PAGES = ROOT / "widgets" / "js"
MIN_NODE = 22
"""The major version that eslint 10 runs on, beside the newest releases of 20."""
MAX_LINE = 110


class Finding(NamedTuple):
    """What a tool found, at a line of one of the files."""

    file: str
    line: int
    text: str


def main() -> int:
    """Check all pages; the exit status."""
    if missing := why_not():
        print(f"JavaScript is not checked: {missing}")
        return 0
    files = sorted(path for suffix in ("js", "d.ts") for path in PAGES.glob(f"*.{suffix}"))
    prettier = [tool("prettier"), "--print-width", str(MAX_LINE), "--log-level", "warn"]
    formatted = subprocess.run([*prettier, "--write" if "--fix" in sys.argv else "--check", *files], cwd=ROOT)
    found = {
        Finding(path.name, at, f"line of {len(line)} characters, more than {MAX_LINE} (line-length)")
        for path in files
        for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > MAX_LINE
    }
    with tempfile.TemporaryDirectory(dir=TOOLS, prefix="check-") as folder:
        found |= findings(Path(folder))
    for file, line, text in sorted(found):
        print(f"widgets/js/{file}:{line}: {text}")
    if not found and not formatted.returncode:
        print(f"JavaScript: {len(pages())} pages checked with tsc, eslint and prettier")
    return int(bool(found or formatted.returncode))


def why_not() -> str:
    """Why the tools cannot run, empty where they can; installs them where they are missing."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        return "this machine has no node with npm (Debian: apt-get install nodejs npm)"
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip()
    if not usable(version):
        return f"eslint needs node 20.19 or from {MIN_NODE} on, and this machine has {version or 'another'}"
    lock, mark = TOOLS / "package-lock.json", TOOLS / "node_modules" / ".installed"
    if mark.exists() and mark.read_bytes() == lock.read_bytes():
        return ""
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=TOOLS).returncode:
        return "npm could not fetch the tools of .ci/js; run `make lint-js` where its registry can be reached"
    shutil.copyfile(lock, mark)
    return ""


def usable(version: str) -> bool:
    """Whether eslint runs on a node of this version, given as v20.19.0."""
    major, minor, *_ = (int(n) for n in [*re.findall(r"\d+", version), 0, 0])
    return major >= MIN_NODE or (major == 20 and minor >= 19)


def tool(name: str) -> str:
    """The path of an installed tool."""
    return str(TOOLS / "node_modules" / ".bin" / name)


def pages() -> dict[str, list[str]]:
    """Page -> its files without suffix, as `script` joins them."""
    out = {}
    for path in sorted((ROOT / "widgets").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Assign(targets=[ast.Name(id="_esm")], value=ast.Call() as call):
                    names = [n for n in ast.walk(call) if isinstance(n, ast.Constant)]
                    names.sort(key=lambda n: (n.lineno, n.col_offset))
                    out[path.stem] = ["common", *(str(n.value) for n in names)]
    used = {name for names in out.values() for name in names}
    if idle := {path.stem for path in PAGES.glob("*.js")} - used:
        raise SystemExit(f"widgets/js: no page has {', '.join(sorted(idle))}")
    return out


def findings(folder: Path) -> set[Finding]:
    """What tsc and eslint find in the joined pages, written into `folder`."""
    from looptool_kit.widgets.view import script

    (folder / "pages").mkdir()
    shutil.copy(PAGES / "types.d.ts", folder / "pages")
    shutil.copy(TOOLS / "tsconfig.json", folder)
    lines: dict[str, list[tuple[str, int]]] = {}
    having: dict[str, set[str]] = defaultdict(set)
    for page, names in pages().items():
        (folder / "pages" / f"{page}.js").write_text(script(*names[1:]), encoding="utf-8")
        lines[page] = []
        for name in names:
            text = (PAGES / f"{name}.js").read_text(encoding="utf-8")
            # `script` joins with a line break, which follows the one at the end of the file.
            lines[page] += [(f"{name}.js", at + 1) for at in range(text.count("\n") + 1)]
            having[f"{name}.js"].add(page)
    out: set[Finding] = set()
    unused: dict[Finding, set[str]] = defaultdict(set)
    for page, at, text in [*tsc(folder), *eslint(folder)]:
        found = Finding(*(lines[page][at - 1] if page in lines else (page, at)), text)
        if text.endswith("(no-unused-vars)"):
            unused[found].add(page)
        else:
            out.add(found)
    # A function that one page does not use may be there for another.
    return out | {found for found, where in unused.items() if where == having[found.file]}


def tsc(folder: Path) -> list[tuple[str, int, str]]:
    """Page, line and text of each finding of tsc."""
    done = subprocess.run(
        [tool("tsc"), "--project", folder, "--pretty", "false"], cwd=folder, capture_output=True, text=True
    )
    matches = re.findall(r"^pages/([\w.]+)\((\d+),\d+\): (.*(?:\n +.*)*)", done.stdout, re.MULTILINE)
    if done.returncode and not matches:
        raise SystemExit(f"tsc: {done.stdout}{done.stderr}")
    return [(file.removesuffix(".js"), int(line), text) for file, line, text in matches]


def eslint(folder: Path) -> list[tuple[str, int, str]]:
    """Page, line and text of each finding of eslint."""
    command = [tool("eslint"), "--config", TOOLS / "eslint.config.mjs", "--format", "json", "pages"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1):
        raise SystemExit(f"eslint: {done.stdout}{done.stderr}")
    return [
        (Path(file["filePath"]).stem, m["line"], f"{m['message']} ({m['ruleId']})")
        for file in json.loads(done.stdout)
        for m in file["messages"]
    ]


if __name__ == "__main__":
    sys.exit(main())
