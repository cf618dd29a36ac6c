"""How long `import looptool_kit` takes and what it loads.

    python benchmarks/bench_import.py [--rounds 15] [--quick]

Every round starts three fresh interpreters: one that imports nothing, one that imports the package, one that
shows the command's help. The target is compared with the difference to the interpreter alone.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

from _measure import HEAD, Cost, rows, verdict

HEAVY = ("torch", "transformers", "trl", "vllm", "openai", "datasets", "pandas")
CODE = {
    "python alone": "",
    "import looptool_kit": "import looptool_kit",
    "looptool --help": (
        "import sys; sys.argv = ['looptool', '--help']; from looptool_kit.cli import main; main()"
    ),
}
LOADED = "import sys, looptool_kit; print(*(name for name in {heavy} if name in sys.modules))"


def run(code: str) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of an interpreter that runs the code."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, time.perf_counter() - wall


def peak(code: str) -> float:
    """Peak MiB of an interpreter that runs the code."""
    from multiprocessing import get_context

    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak, (code,))


def _peak(code: str) -> float:
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (
        2**20 if sys.platform == "darwin" else 1024
    )


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rounds", type=int, default=15)
    ask.add_argument("--quick", action="store_true", help="one round")
    args = ask.parse_args()
    costs = {name: Cost(peak=[peak(code)]) for name, code in CODE.items()}
    for _ in range(1 if args.quick else args.rounds):
        for name, code in CODE.items():
            cpu, wall = run(code)
            costs[name].cpu.append(cpu)
            costs[name].wall.append(wall)
    print(HEAD + "\n" + rows("start", costs, ours="import looptool_kit") + "\n")
    alone, package = costs["python alone"].best, costs["import looptool_kit"].best
    print(verdict("the import, CPU", (package[0] - alone[0]) * 1000, 150, " ms", most=True))
    print(verdict("the import, wall", (package[1] - alone[1]) * 1000, 150, " ms", most=True))
    loaded = subprocess.run(
        [sys.executable, "-c", LOADED.format(heavy=HEAVY)], check=True, capture_output=True, text=True
    ).stdout.split()
    print(
        f"- heavy packages that it loads: {', '.join(loaded) or 'none'} (target: none of {', '.join(HEAVY)})"
    )


if __name__ == "__main__":
    main()
