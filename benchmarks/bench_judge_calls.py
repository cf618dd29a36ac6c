"""What a judge call costs on this side of the wire: `calls.complete` against a bare aiohttp client that asks
a local mock server the same.

    python benchmarks/bench_judge_calls.py [--calls 2000] [--in-flight 64] [--latency 0.05] [--rounds 3]

Both send the same bytes and read the answers as JSON; the bare client keeps nothing and tries nothing again.
They take turns; the mock is a process of its own, so the CPU time is the client's. Prints wall seconds and
CPU milliseconds a call (best round), the wall ratio and the CPU difference.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from looptool_kit import world
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.toolcalls import Answer
from looptool_kit.llm.client import complete
from looptool_kit.llm.messages import Request
from looptool_kit.stages.verify.llm import SYSTEM, prompt

ROOT = Path(__file__).parent.parent
SAID = json.dumps(
    {"correct_approach": "Call it once.", "error_analysis": "B leaves a value out.", "verdict": "A"}
)


def questions(count: int) -> list[Request]:
    """Judge calls on samples of the world; those beyond the first fifty repeat their prompts as further
    votes.
    """
    samples = world.generate(50, seed=5)
    answers = [Answer.of(s.label) for s in samples]
    prompts = [prompt(s, a, b) for s, a, b in zip(samples, answers, answers[1:] + answers[:1], strict=True)]
    return [
        Request(
            [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompts[i % 50]}],
            max_tokens=2048,
            seed=i // 50,
        )
        for i in range(count)
    ]


def bare(requests: list[Request], url: str, in_flight: int) -> list[str]:
    """What one would write first: a session, some workers, no store, no retries."""
    import aiohttp

    async def run() -> list[str]:
        said = [""] * len(requests)
        rows = iter(enumerate(requests))

        async def work(session: aiohttp.ClientSession) -> None:
            for i, r in rows:
                body = {
                    "model": "mock",
                    "messages": r.messages,
                    "temperature": r.temperature,
                    "max_tokens": r.max_tokens,
                }
                async with session.post(f"{url}/chat/completions", json=body) as response:
                    said[i] = (await response.json())["choices"][0]["message"]["content"]

        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
            await asyncio.gather(*(work(session) for _ in range(in_flight)))
        return said

    return asyncio.run(run())


def ours(requests: list[Request], url: str, in_flight: int) -> list[str]:
    """The kit's way, into an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        endpoint = Endpoint(base_url=url, model="mock", concurrency=in_flight, key_env="NO_KEY")
        return [
            r.text or r.error for r in complete(requests, endpoint, Path(folder) / "calls.sqlite", "ours")
        ]


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--calls", type=int, default=2000)
    ask.add_argument("--in-flight", type=int, default=64)
    ask.add_argument("--latency", type=float, default=0.05, help="of the mock server, in seconds")
    ask.add_argument("--rounds", type=int, default=3)
    args = ask.parse_args()
    requests = questions(args.calls)
    size = sum(len(str(m["content"])) for r in requests for m in r.messages) / len(requests)
    command = [
        sys.executable,
        str(ROOT / "tests" / "mock_llm.py"),
        "--port",
        "0",
        "--latency",
        str(args.latency),
        "--say",
        SAID,
    ]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    ways: dict[str, Callable[[list[Request], str, int], list[str]]] = {
        "bare aiohttp": bare,
        "calls.complete": ours,
    }
    wall: dict[str, list[float]] = {name: [] for name in ways}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        for way in ways.values():
            way(requests[:64], url, args.in_flight)  # imports
        for _ in range(args.rounds):
            for name, way in ways.items():
                started, burnt = time.perf_counter(), time.process_time()
                said = way(requests, url, args.in_flight)
                wall[name].append(time.perf_counter() - started)
                cpu[name].append((time.process_time() - burnt) / len(requests) * 1000)
                assert said == [SAID] * len(requests)
    finally:
        server.terminate()
        server.wait()
    print(
        f"{args.calls} judge calls of {size:,.0f} characters, {args.in_flight} in flight,"
        f" {args.latency * 1000:.0f} ms latency, {args.rounds} rounds"
    )
    print(f"{'':16}{'wall s':>10}{'CPU ms a call':>16}    all rounds: wall s / CPU ms a call")
    for name in ways:
        rounds = "  ".join(f"{w:.2f} / {c:.2f}" for w, c in zip(wall[name], cpu[name], strict=True))
        print(f"{name:16}{min(wall[name]):>10.2f}{min(cpu[name]):>16.2f}    {rounds}")
    a, b = ways
    print(f"wall: {min(wall[b]) / min(wall[a]):.2f} times the bare client's (target: at most 1.5)")
    print(f"CPU: {min(cpu[b]) - min(cpu[a]):+.2f} ms a call over the bare client (target: at most 3)")


if __name__ == "__main__":
    main()
