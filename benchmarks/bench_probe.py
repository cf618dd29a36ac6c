"""Greedy probing by our engine against transformers' `generate`: 200 samples on 10 tool lists.

    python benchmarks/bench_probe.py [--lists 10] [--each 20] [--new 40] [--rounds 1] [--threads 1] [--quick]

`generate` gets the samples in left-padded batches of 16, sorted by length, as a careful user would. Float32
on both sides, the embedded model, at most `--new` tokens an answer. One thread on either side, as in the
steps of `grpo`: a thread that waits for another spins, which would count as CPU seconds. Where two answers
differ, one plain forward pass over what they have in common says how far apart the two next tokens' logits
are:
below 0.001 it is a numerical tie.
"""

from __future__ import annotations

import argparse
from functools import partial

from _measure import HEAD, Work, compare, rows, verdict
from _models import as_imported, load, on_lists

from looptool_kit.config import ProbeSettings

TIE = 1e-3
BATCH = ProbeSettings().batch


def ours(lists: int, each: int, new: int, threads: int, quick: bool) -> Work:
    """Greedy completions by the transformers engine."""
    import torch

    from looptool_kit.policy.engines import Sampling
    from looptool_kit.policy.engines.transformers import TransformersEngine

    torch.set_num_threads(threads)
    engine = TransformersEngine(*load(quick), batch_size=BATCH)
    samples = on_lists(lists, each)
    return lambda: [list(c.token_ids) for [c] in engine.generate(samples, Sampling(max_new_tokens=new))]


def padded(prompts: list[list[int]]) -> list[list[int]]:
    """The batches that `generate` gets, as indices."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    return [order[at : at + 16] for at in range(0, len(order), 16)]


def theirs(lists: int, each: int, new: int, threads: int, quick: bool) -> Work:
    """Greedy completions by `generate`."""
    as_imported(ours=False)
    import torch

    from looptool_kit.policy.engines.transformers import TransformersEngine

    torch.set_num_threads(threads)
    model, tokenizer = load(quick)
    engine = TransformersEngine(model, tokenizer)
    prompts = [tokenizer(engine.render(s), add_special_tokens=False).input_ids for s in on_lists(lists, each)]
    ends = sorted(engine.ends)
    pad = ends[0]

    def work() -> list[list[int]]:
        out: list[list[int]] = [[] for _ in prompts]
        for batch in padded(prompts):
            width = max(len(prompts[i]) for i in batch)
            ids = torch.tensor([[pad] * (width - len(prompts[i])) + prompts[i] for i in batch])
            mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in batch])
            with torch.inference_mode():
                made = model.generate(
                    ids,
                    attention_mask=mask,
                    max_new_tokens=new,
                    do_sample=False,
                    eos_token_id=ends,
                    pad_token_id=pad,
                )
            for i, row in zip(batch, made[:, width:].tolist(), strict=True):
                stop = next((k + 1 for k, token in enumerate(row) if token in ends), len(row))
                out[i] = row[:stop]
        return out

    return work


def gaps(lists: int, each: int, quick: bool, a: list[list[int]], b: list[list[int]]) -> list[float]:
    """For each pair of answers that differ: the difference of the two tokens' logits where they part."""
    unlike = [i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
    if not unlike:
        return []
    import torch

    from looptool_kit.policy.engines.transformers import TransformersEngine

    model, tokenizer = load(quick)
    engine, samples, found = TransformersEngine(model, tokenizer), on_lists(lists, each), []
    for i in unlike:
        same = next((k for k, (x, y) in enumerate(zip(a[i], b[i], strict=False)) if x != y), None)
        if same is None:
            found.append(float("inf"))  # one ends where the other continues
            continue
        ids = tokenizer(engine.render(samples[i]), add_special_tokens=False).input_ids + a[i][:same]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1]
        found.append(float((logits[a[i][same]] - logits[b[i][same]]).abs()))
    return found


def bound(lists: int, each: int, quick: bool, answers: list[list[int]]) -> float:
    """Tokens that go through the layers at `generate`, padding included, over those at ours: distinct tokens
    of each batch's prompts.
    """
    from looptool_kit.policy.engines.prefix_tree import plant
    from looptool_kit.policy.engines.transformers import TransformersEngine

    engine, samples = TransformersEngine(*load(quick), batch_size=BATCH), on_lists(lists, each)
    prompts = [engine.tokenizer(engine.render(s), add_special_tokens=False).input_ids for s in samples]
    theirs = sum(
        len(batch) * (max(len(prompts[i]) for i in batch) + max(len(answers[i]) for i in batch) - 1)
        for batch in padded(prompts)
    )
    ours = sum(
        len(plant([prompts[i] for i in batch]).tokens) + sum(len(answers[i]) - 1 for i in batch)
        for batch in engine.plan(samples)
    )
    return theirs / ours


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("lists", 10), ("each", 20), ("new", 40), ("rounds", 1), ("threads", 1)):
        ask.add_argument(f"--{name}", type=int, default=value)
    ask.add_argument(
        "--quick", action="store_true", help="a tiny random model, two lists of four samples, 8 new tokens"
    )
    args = ask.parse_args()
    lists, each, new, rounds = (2, 4, 8, 1) if args.quick else (args.lists, args.each, args.new, args.rounds)
    work = (lists, each, new, args.threads, args.quick)
    sides = {"ours": partial(ours, *work), "generate": partial(theirs, *work)}
    costs = compare(sides, rounds, together=args.quick)
    print(HEAD + "\n" + rows(f"probe {lists * each}", costs) + "\n")
    mine, other = costs["ours"].value, costs["generate"].value
    apart = gaps(lists, each, args.quick, mine, other)
    print(f"- {sum(map(len, mine)):,} tokens written by ours, {sum(map(len, other)):,} by generate")
    print(
        f"- {len(apart)} of {len(mine)} answers differ, {sum(g > TIE for g in apart)} of them by more than a"
        " tie (target: 0)"
    )
    print(
        f"- {bound(lists, each, args.quick, mine):.2f}x is what the tokens allow that go through the layers,"
        " attention and all else left out"
    )
    print(verdict("CPU", costs["generate"].best[0] / costs["ours"].best[0], 3))


if __name__ == "__main__":
    main()
