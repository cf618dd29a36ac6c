"""`make bench`: run the benchmarks, keep what each printed, and write docs/benchmarks.md from all that were
run.

    python benchmarks/run.py [NAMES ...] [--again] [--reference PATH]

NAMES are those of the scripts without `bench_` (match, rules, dedup, import, scale, grpo, sft, probe,
judge_calls, widgets); none: all. What is there already is not run again unless --again is given, so a run
that was stopped resumes. Results lie in runs/bench, one file a script, each with the machine's other work
before it started; the page says which scripts have not been run, and how long all of them took: they are
sized for half an hour on two quick, quiet cores.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from _pages import wrapped

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
KEPT = ROOT / "runs" / "bench"
PAGE = ROOT / "docs" / "benchmarks.md"
ORDER = ("import", "match", "rules", "dedup", "scale", "grpo", "sft", "probe", "judge_calls", "widgets")
PACKAGES = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "jsonschema",
    "jsonschema-rs",
    "datasketch",
    "rensa",
    "pydantic",
    "pyarrow",
)


def machine() -> str:
    """Processor, cores, memory, system and Python."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*:\s*(.+)", info.read_text()) if info.exists() else None
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 if hasattr(os, "sysconf") else 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = found[1].strip() if found else platform.processor() or platform.machine()
    return f"{name}, {cores} cores, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def versions() -> str:
    """The packages that matter here, with their versions."""
    said = []
    for name in PACKAGES:
        try:
            said.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            said.append(f"{name} not installed")
    return ", ".join(said)


def others() -> float:
    """Percent of all processors' time that other work takes, over two seconds in which this idles."""
    import psutil

    return psutil.cpu_percent(interval=2)


def run(name: str, more: list[str]) -> dict[str, Any]:
    """Run one script; what it printed and how it went."""
    script = HERE / f"bench_{name}.py"
    busy = others()
    started = time.time()
    done = subprocess.run([sys.executable, str(script), *more], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    return {
        "name": name,
        "command": (
            f"python benchmarks/{script.name}" + "".join(f" {'PATH' if os.sep in m else m}" for m in more)
        ),
        "code": done.returncode,
        "printed": done.stdout.strip(),
        "seconds": round(time.time() - started, 1),
        "busy": busy,
        "date": time.strftime("%Y-%m-%d", time.localtime(started)),
        "machine": machine(),
        "versions": versions(),
    }


def page(names: list[str]) -> str:
    """docs/benchmarks.md."""
    parts = [
        "# Benchmarks",
        (
            "Written by `make bench`; do not edit. A script that compares runs ours and what one would"
            " otherwise run on the same work, in turns, each side in a process of its own where memory is"
            " measured (or the peak would be that of both), and keeps each side's best round. Ratios are the"
            " other side's cost by ours, so above 1 ours is cheaper. CPU seconds are those of all threads;"
            " memory is the peak of the whole process, what was loaded before included. With a model, ours"
            " has the huge pages that importing the package asks torch for, the other side has what its user"
            " would have: none. A **missed** target is left as it is."
        ),
    ]
    seconds = [
        json.loads(p.read_text(encoding="utf-8"))["seconds"]
        for n in names
        if (p := KEPT / f"{n}.json").exists()
    ]
    parts.append(f"{len(seconds)} scripts, {sum(seconds) / 60:.0f} minutes in all.")
    for name in names:
        doc = (HERE / f"bench_{name}.py").read_text(encoding="utf-8").split('"""')[1].strip().split("\n\n")
        doc = "\n\n".join(part for part in doc if not part.startswith("    "))  # without the usage
        parts.append(f"## {name}\n\n{doc}")
        file = KEPT / f"{name}.json"
        if not file.exists():
            parts.append("**Not run.**")
            continue
        kept = json.loads(file.read_text(encoding="utf-8"))
        printed = kept["printed"] if kept["printed"].startswith("|") else f"```\n{kept['printed']}\n```"
        if kept["code"]:
            parts.append(f"**Failed** with exit code {kept['code']}; what it printed before:")
        parts.append(printed)
        quiet = "" if kept["busy"] < 10 else " **The machine was not quiet: wall seconds mean little.**"
        facts = (
            f"`{kept['command']}`, {kept['date']}, {kept['seconds']:.0f} s in all; {kept['busy']:.0f}% of the"
            f" processors busy before.{quiet}"
        )
        parts.append(f"<sub>{facts} {kept['machine']}; {kept['versions']}.</sub>")
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Run what is asked for and is not there yet."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("names", nargs="*", help="which; none: all")
    ask.add_argument("--again", action="store_true", help="run what is there already too")
    ask.add_argument("--reference", help="a checkout of LoopTool's public repository, for `match`")
    args = ask.parse_args()
    there = {p.stem.removeprefix("bench_") for p in HERE.glob("bench_*.py")}
    names = [n for n in ORDER if n in there] + sorted(there - set(ORDER))
    if unknown := sorted(set(args.names) - there):
        ask.error(f"there is no benchmark {unknown[0]!r}; there are: {', '.join(names)}")
    KEPT.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    for name in args.names or names:
        file = KEPT / f"{name}.json"
        if file.exists() and not args.again and json.loads(file.read_text(encoding="utf-8"))["code"] == 0:
            print(f"== {name}: there already (--again runs it again)", flush=True)
            continue
        print(f"== {name}", flush=True)
        kept = run(name, ["--reference", args.reference] if name == "match" and args.reference else [])
        tmp = file.with_suffix(".tmp")
        tmp.write_text(json.dumps(kept, indent=2), encoding="utf-8")
        tmp.replace(file)
        PAGE.write_text(wrapped(page(names)), encoding="utf-8")
        print(kept["printed"] + f"\n({kept['seconds']} s, exit code {kept['code']})", flush=True)
        failed += [name] * bool(kept["code"])
    PAGE.write_text(wrapped(page(names)), encoding="utf-8")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}; the same command runs them again")


if __name__ == "__main__":
    main()
