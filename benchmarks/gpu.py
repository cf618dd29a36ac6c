"""Measure on one GPU what docs/gpu.md says, and write it there.

    python benchmarks/gpu.py [--only attention step loop engines estimate] [--minutes 8] [--again]
    python benchmarks/gpu.py --tiny                 toy shapes, on a CPU too: all parts run, no figures

Each measurement is kept in a JSON file of its own in runs/gpu as soon as it is done; what is there is not
measured again, so a stopped run, or one whose minutes were over, is continued by the same command. Each part
is a process of its own. In the end a table is printed and, on a GPU, the figures in docs/gpu.md are replaced,
as is `looptool_kit/stages/train/measured.json`, which the estimate reads. What was not measured is `not
seen`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PARTS = ("attention", "step", "engines", "estimate", "loop")
PACKAGES = ("torch", "triton", "transformers", "trl", "peft", "vllm", "unsloth", "flashinfer-python")


def measurements(part: str) -> dict[str, Callable[[Any], dict[str, Any]]]:
    """The measurements of a part by name, in the order in which they are made."""
    import _gpu_runs as runs
    import _gpu_steps as steps
    import _gpu_work as work

    return {
        "attention": {
            **{f"equality-{kind}": _of(work.equality, kind) for kind in work.FAMILIES},
            **{f"speed-{name}": _of(work.speed, name) for name in work.CASES},
        },
        "step": {
            **{f"grpo-{name}": _of(steps.step, name) for name in work.CASES},
            "sft-0.6b": _of(steps.supervised, "0.6b"),
            "whole-embedded": _of(runs.whole_step, "embedded"),
            "whole-0.6b": _of(runs.whole_step, "Qwen/Qwen3-0.6B"),
            "whole-embedded-vllm": _of(runs.whole_step, "embedded", "vllm"),
        },
        "engines": {name: _of(runs.engine, name) for name in ("transformers", "vllm")},
        "estimate": {name.rpartition("-")[2].lower(): _of(work.estimated, name) for name in work.SHAPES},
        "loop": {name: _of(runs.loop, name) for name in ("trl", "unsloth")},
    }[part]


NAMES = {
    "attention": [f"equality-{k}" for k in ("llama", "qwen2", "qwen3", "gemma3_text")]
    + [f"speed-{c}" for c in ("0.6b", "4b", "0.6b-long")],
    "step": [f"grpo-{c}" for c in ("0.6b", "4b", "0.6b-long")]
    + ["sft-0.6b", "whole-embedded", "whole-0.6b", "whole-embedded-vllm"],
    "engines": ["transformers", "vllm"],
    "estimate": ["0.6b", "1.7b", "4b", "8b"],
    "loop": ["trl", "unsloth"],
}
"""The names of all measurements, without an import of what measures them."""


def _of(function: Callable[..., dict[str, Any]], *names: str) -> Callable[[Any], dict[str, Any]]:
    """`function` of (machine, names), awaiting the machine."""
    return lambda machine: function(machine, *names)


def done(file: Path) -> bool:
    """Whether a measurement has figures; what failed or was not there is tried again."""
    return file.exists() and "figures" in json.loads(file.read_text(encoding="utf-8"))


def work(part: str, kept: Path, tiny: bool) -> None:
    """Make the missing measurements of a part, in this process; one that fails is kept with its reason."""
    sys.path.insert(0, str(HERE))
    from _gpu_runs import NotHere
    from _gpu_work import Machine

    machine = Machine.here(tiny)
    for name, measure in measurements(part).items():
        file = kept / f"{part}-{name}.json"
        if done(file):
            continue
        started, facts = time.time(), about(machine)
        try:
            facts["figures"] = measure(machine)
        except NotHere as reason:
            facts["not_seen"] = str(reason)
        except Exception as error:
            traceback.print_exc()
            facts["failed"] = f"{type(error).__name__}: {str(error).strip()[:500]}"
        facts["took"] = round(time.time() - started, 1)
        temporary = file.with_suffix(".tmp")
        temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")
        os.replace(temporary, file)
        print(f"{part} {name}: {facts['took']} s", flush=True)


def about(machine: Any) -> dict[str, Any]:
    """Card, date and versions."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "card": machine.card,
        "tiny": machine.tiny,
        "peak": machine.peak,
        "date": time.strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        "versions": found,
    }


def run(part: str, kept: Path, tiny: bool, seconds: float) -> None:
    """The part in a process of its own, ended when its time is over."""
    command = [sys.executable, str(HERE / "gpu.py"), "--worker", part, "--kept", str(kept)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    # A session of its own: engines and Unsloth start processes that must not outlive it.
    worker = subprocess.Popen(command + ["--tiny"] * tiny, cwd=ROOT, env=environment, start_new_session=True)
    try:
        code = worker.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        print(f"{part}: the time is over; the same command continues", flush=True)
        return
    if code:
        print(f"{part}: ended with code {code}; the same command continues", flush=True)


def read(kept: Path) -> dict[str, dict[str, Any]]:
    """What was measured: part-name -> facts."""
    return {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in sorted(kept.glob("*.json"))}


def main() -> None:
    """Measure what is missing, print the table, write the page."""
    sys.path.insert(0, str(HERE))
    from _gpu_page import calibrated, report, write_page

    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    ask.add_argument(
        "--minutes", type=float, default=8.0, help="no measurement is started or kept after these"
    )
    ask.add_argument("--again", action="store_true", help="measure again what is there")
    ask.add_argument("--tiny", action="store_true")
    ask.add_argument("--kept", type=Path, help="where the measurements lie (runs/gpu, or runs/gpu-tiny)")
    ask.add_argument("--page", type=Path, help="the page whose figures are replaced (docs/gpu.md, on a GPU)")
    ask.add_argument("--worker", choices=PARTS, help=argparse.SUPPRESS)
    args = ask.parse_args()
    kept = args.kept or ROOT / "runs" / ("gpu-tiny" if args.tiny else "gpu")
    kept.mkdir(parents=True, exist_ok=True)
    if args.worker:
        work(args.worker, kept, args.tiny)
        return
    ends = time.monotonic() + 60 * args.minutes
    for part in args.only:
        files = [kept / f"{part}-{name}.json" for name in NAMES[part]]
        for file in files if args.again else []:
            file.unlink(missing_ok=True)
        if not all(map(done, files)) and (left := ends - time.monotonic()) > 10:
            run(part, kept, args.tiny, left)
    found = read(kept)
    print(tables := report(found, NAMES), flush=True)
    seen = [f for f in found.values() if not f["tiny"] and f["card"] != "CPU"]
    page = args.page or (ROOT / "docs" / "gpu.md" if seen else None)
    if page:
        write_page(page, tables)
    if seen and (shares := calibrated(found)):
        target = ROOT / "looptool_kit" / "stages" / "train" / "measured.json"
        facts = {key: seen[-1][key] for key in ("card", "date", "versions")} | {"shares": shares}
        target.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
