"""Greedy answers of trained weights in lower precision, compared with float32: bfloat16 where the processor
has it, and ctranslate2's int8.

    looptool loop RUN                                            # a trained policy
    pip install --no-deps --target DIR ctranslate2               # not needed otherwise
    PYTHONPATH=DIR python benchmarks/precision.py RUN [--samples 200] [--new 48]

Writes docs/precision.md. The samples are of the world, 20 on each tool list, by another seed than any
training's; the same prompts, as token ids, to each side. float32 and bfloat16 run in the `transformers`
engine, int8 in ctranslate2 with the run's adapter merged before conversion. Answers are equal where all their
tokens are. Probing and evaluation take bfloat16 where the processor has it, as one would on a GPU; training
and its rollouts are in float32. int8 would be taken only where at least 98% of its answers were those of
float32, and it were faster.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from _models import on_lists
from _pages import wrapped
from run import machine

from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Sample
from looptool_kit.core.tables import write_text
from looptool_kit.core.toolcalls import parse
from looptool_kit.policy.engines import Sampling
from looptool_kit.policy.models import default_dtype, find_model, load
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run

MIN_EQUAL = 0.98
"""Share of int8's answers that must be those of float32."""
PAGE = Path(__file__).parent.parent / "docs" / "precision.md"


def by_transformers(
    model: Any, tokenizer: Any, samples: list[Sample], new: int
) -> Callable[[], list[list[int]]]:
    """Greedy token ids from our engine."""
    from looptool_kit.policy.engines.transformers import TransformersEngine

    engine = TransformersEngine(model, tokenizer, batch_size=64)
    return lambda: [list(c.token_ids) for [c] in engine.generate(samples, Sampling(max_new_tokens=new))]


def by_ctranslate2(
    model: Any, tokenizer: Any, samples: list[Sample], new: int, folder: str
) -> Callable[[], list[list[int]]]:
    """Greedy token ids from ctranslate2's int8, batches of 16 sorted by length."""
    import ctranslate2
    from ctranslate2.converters import TransformersConverter

    from looptool_kit.policy.engines.transformers import TransformersEngine

    engine = TransformersEngine(model, tokenizer)
    model.save_pretrained(f"{folder}/merged")
    tokenizer.save_pretrained(f"{folder}/merged")
    TransformersConverter(f"{folder}/merged").convert(f"{folder}/int8", quantization="int8")
    generator = ctranslate2.Generator(
        f"{folder}/int8", compute_type="int8", intra_threads=len(os.sched_getaffinity(0))
    )
    prompts = [
        tokenizer.convert_ids_to_tokens(tokenizer(engine.render(s), add_special_tokens=False).input_ids)
        for s in samples
    ]
    ends = sorted(engine.ends)
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))

    def work() -> list[list[int]]:
        answers = generator.generate_batch(
            [prompts[i] for i in order],
            max_batch_size=16,
            max_length=new,
            sampling_topk=1,
            end_token=ends,
            include_prompt_in_result=False,
            return_end_token=True,
        )
        out: list[list[int]] = [[] for _ in prompts]
        for i, answer in zip(order, answers, strict=True):
            out[i] = list(answer.sequences_ids[0])
        return out

    return work


def right(tokenizer: Any, samples: list[Sample], answers: list[list[int]]) -> float:
    """Share of the answers that match their sample's label."""
    said = [parse(tokenizer.decode(a, skip_special_tokens=True)) for a in answers]
    return sum(
        grade(answer, s.label, s.tools).correct for answer, s in zip(said, samples, strict=True)
    ) / len(samples)


def timed(side: Callable[[str], Callable[[], list[list[int]]]]) -> tuple[list[list[int]], float, float]:
    """A side's answers, and the CPU and wall seconds that they took when it was ready."""
    with tempfile.TemporaryDirectory() as folder:
        work = side(folder)
        cpu, wall = time.process_time(), time.perf_counter()
        answers = work()
        return answers, time.process_time() - cpu, time.perf_counter() - wall


def main() -> None:
    """Measure, print and write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("run", help="the folder of a run with a trained policy")
    ask.add_argument("--samples", type=int, default=200)
    ask.add_argument("--new", type=int, default=48)
    args = ask.parse_args()
    run = Run.open(args.run)
    policy = policy_of(
        run, max((i for i in run.iterations if run.manifest("policy", i)), default=run.iteration)
    )
    samples = on_lists(-(-args.samples // 20), 20, seed=991)[: args.samples]
    source = find_model(policy.model)
    model, tokenizer = load(source, "float32", policy.adapter)

    def rounded(_: str) -> Callable[[], list[list[int]]]:
        other, _tokenizer = load(source, "bfloat16", policy.adapter)
        return by_transformers(other, tokenizer, samples, args.new)

    sides: dict[str, Callable[[str], Callable[[], list[list[int]]]]] = {
        "float32": lambda _: by_transformers(model, tokenizer, samples, args.new),
        **({"bfloat16": rounded} if str(default_dtype()) == "torch.bfloat16" else {}),
        "int8, ctranslate2": lambda folder: by_ctranslate2(model, tokenizer, samples, args.new, folder),
    }
    lines = [
        "| weights | CPU s | wall s | tokens | answers equal to float32's | right |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    base: list[list[int]] = []
    for name, side in sides.items():
        answers, cpu, wall = timed(side)
        base = base or answers
        same = sum(a == b for a, b in zip(answers, base, strict=True)) / len(samples)
        cells = [name, f"{cpu:.1f}", f"{wall:.1f}", f"{sum(map(len, answers)):,}", f"{same:.1%}"]
        lines.append(f"| {' | '.join(cells)} | {right(tokenizer, samples, answers):.1%} |")
        print(lines[-1], flush=True)
    verdict = (
        f"int8: {same:.1%} equal, wanted {MIN_EQUAL:.0%}: {'met' if same >= MIN_EQUAL else '**missed**'}."
    )
    about = (__doc__ or "").strip().split("\n\n")
    versions = ", ".join(f"{p} {metadata.version(p)}" for p in ("torch", "transformers", "ctranslate2"))
    what = (
        f"{len(samples)} samples, at most {args.new} new tokens each; {policy.name} of `{policy.model}`,"
        f" {time.strftime('%Y-%m-%d')}"
    )
    facts = f"<sub>{what}. {machine()}; {versions}.</sub>"
    head = "Written by `python benchmarks/precision.py`; do not edit. " + about[2].removeprefix(
        "Writes docs/precision.md. "
    )
    parts = ["# Precision", about[0], head, "\n".join(lines), verdict, facts]
    write_text(PAGE, wrapped("\n\n".join(parts) + "\n"))
    print(verdict)


if __name__ == "__main__":
    main()
