"""Make the adapter of the model `embedded` again, and write its card's figures.

    python benchmarks/embedded.py [--tokens-total 40000000 | --minutes 10] [--kinds parallel=2] [--out DIR]
    python benchmarks/embedded.py --check [--samples 150] [--bfcl 25] [--adapter DIR]

The data is procedural: the world's split `train`, without the domains of the CPU presets, so that the loop's
tools, the held-out tools, values and phrasings stay new to the model, and made-up tools (made_up_tools.py).
Samples of one tool list share its tokens. One GPU takes minutes; without one the script first measures a
small pass and says how many hours it would take. Stopped, the same command goes on from the last checkpoint.

`--check` evaluates the shipped adapter, or another one, on held-out samples, with `--bfcl N` on N entries of
each single-turn category of BFCL too (needs `looptool evaluate --suite bfcl --setup`), and writes the tables
into docs/embedded.md. What is finished is not done again.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import multiprocessing
import os
import re
import subprocess
import time
from array import array
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from importlib.metadata import version
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import made_up_tools

from looptool_kit import world
from looptool_kit.checks import contamination
from looptool_kit.config import LoraSettings, load_preset
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.stats import wilson
from looptool_kit.core.tables import atomic, write_json, write_text
from looptool_kit.policy.models import HUB_ID, default_dtype, load_tokenizer
from looptool_kit.policy.policy import base_policy, load_base, open_engine
from looptool_kit.run.folder import Run, key
from looptool_kit.stages.evaluate import bfcl, held_out
from looptool_kit.stages.train.common import encode, lora_policy
from looptool_kit.stages.train.shared_prefix import Packed, pack, packed_logps
from looptool_kit.stages.train.tree_attention import BLOCK

ROOT = Path(__file__).resolve().parent.parent
OTHERS = sorted({d for name in ("cpu", "cpu-quick") for d in load_preset(name).seeds.domains})
"""The domains that the CPU presets adapt to: no sample of theirs may be in the data."""
WARM_UP = 30
COMPILED = 5
"""Steps that compile a GPU's kernels: --minutes is not counted from them."""
CUT_AT = 0.75
"""Share of the tokens after which the adapter is cut to the rank that is saved; the rest makes up for what
that loses.
"""
MOST_ADDED = 5
"""Tools of other domains that a tool list of the world may get beside its own."""
LONG = 10.0
"""Minutes that a training without a GPU may take unasked."""
SPLITS = {"unseen values": ("unseen_values", OTHERS), "unseen phrasings": ("unseen_phrasings", OTHERS),
          "unseen tools": ("unseen_tools", ())}  # fmt: skip


class Row(NamedTuple):
    """A sample as token ids."""

    prompt: array[int]
    completion: array[int]
    kind: str


class Chunk(NamedTuple):
    """The passes of one seed's samples."""

    passes: list[list[Row]]
    bad_tools: list[str]
    """Tools that a benchmark has as well: no sample offers them."""
    left_out: int
    """Samples that were left out because a benchmark has their text or one of their tools."""


# ------------------------------------------------------------------ data


def domains() -> list[str]:
    """The domains to train on: those with tools in the split `train`, less those of the CPU presets."""
    open_to = {t.name for t in world.catalogue("train")}
    return [d for d, tools in world.domains().items() if d not in OTHERS and open_to & set(tools)]


def encoded(tokenizer: Any, samples: Sequence[Sample]) -> list[Row]:
    """The samples as training encodes them."""
    pairs = [encode(tokenizer, s) for s in samples]
    return [Row(array("i", p), array("i", a), s.kind) for (p, a), s in zip(pairs, samples, strict=True)]


def seed_of(spec: dict[str, Any], number: int) -> str:
    """The world's seed of a chunk."""
    return f"{spec['seed']}-{number * spec['samples_each']}"


def in_words(sample: Sample) -> bool:
    """Whether the user says some value otherwise than the call has it ("half past six" for 18:30)."""
    calls: Any = sample.meta.get("calls", ())
    return any(call["implicit"] for call in calls)


def widened(samples: Sequence[Sample], of: Sequence[str], share: float, rng: Random) -> list[Sample]:
    """The samples, those of a share of the tool lists with tools of other domains beside their own, in any
    order.

    No domain that one of the list's samples is about gives a tool, so what was right to answer still is.
    """
    home = {tool: d for d, tools in world.domains().items() for tool in tools}
    open_to = [t for t in world.catalogue("train") if home[t.name] in of]
    lists: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        lists.setdefault(tuple(t.name for t in sample.tools), []).append(sample)
    out: list[Sample] = []
    for names, rows in lists.items():
        calls: list[Any] = [call for s in rows for call in s.meta.get("calls", ())]  # type: ignore[union-attr]
        about = {home[name] for name in (*names, *(call["tool"] for call in calls))}
        more = rng.sample([t for t in open_to if home[t.name] not in about], rng.randint(1, MOST_ADDED))
        tools = rng.sample([*rows[0].tools, *more], len(names) + len(more))
        wide = rng.random() < share
        out += [s.model_copy(update={"tools": tuple(tools)}) if wide else s for s in rows]
    return out


def prepare(spec: dict[str, Any], number: int, model: str, limit: int) -> Chunk:
    """The passes of chunk `number`, shuffled, of at most `limit` tokens; a longer sample stands alone."""
    seed, wanted = seed_of(spec, number), spec["kinds"]
    kinds = [k for k in world.KINDS if wanted[k] > 0]
    made = world.generate(spec["samples_each"], seed, spec["split"], kinds, spec["domains"], spec["per_list"])
    # Weights are met by leaving samples out, so that the kinds stay mixed on every tool list.
    rng = Random(f"{seed}/passes")
    made = Samples(widened(made, spec["domains"], spec["wide"], rng))
    if extra := round(spec["samples_each"] * spec["made_up"] / (1 - spec["made_up"])):
        made = Samples([*made, *made_up_tools.generate(extra, f"{seed}/made up", spec["per_list"])])
    top = max(wanted.values()) * max(1, spec["words"])
    samples = [s for s in made if rng.random() < wanted[s.kind] * (spec["words"] if in_words(s) else 1) / top]
    bad: set[str] = set()
    before = len(samples)
    if spec["contamination"]:
        known = contamination.read(spec["contamination"])
        offered = {t.name: t for s in samples for t in s.tools}
        bad = {name for name, tool in offered.items() if not contamination.check_tool(tool, known).passed}
        samples = [s for s in samples if not bad & {t.name for t in s.tools}]
        samples = [s for s in samples if contamination.check_sample(s, known).passed]
    lists: dict[tuple[str, ...], list[Row]] = {}
    for sample, row in zip(samples, encoded(load_tokenizer(model), samples), strict=True):
        lists.setdefault(tuple(t.canonical for t in sample.tools), []).append(row)
    runs = [run for rows in lists.values() for run in _runs(rng.sample(rows, len(rows)), limit)]
    rng.shuffle(runs)
    passes: list[list[Row]] = []
    held = limit + 1
    for rows, size in runs:
        if held + size > limit:
            passes.append([])
            held = 0
        passes[-1] += rows
        held += size
    if len(passes) > 1 and held < limit / 2:
        passes.pop()  # a step on a few samples would weigh as much as one on many
    return Chunk(passes, sorted(bad), before - len(samples))


def _runs(rows: list[Row], limit: int) -> list[tuple[list[Row], int]]:
    """The samples of one tool list, cut in halves until they fit, each run with its tokens."""
    size = pack([r.prompt for r in rows], [r.completion for r in rows]).input_ids.shape[1]
    if len(rows) == 1 or size <= limit:
        return [(rows, size)]
    half = len(rows) // 2
    return _runs(rows[:half], limit) + _runs(rows[half:], limit)


def stream(spec: dict[str, Any], model: str, limit: int, first: int, workers: int) -> Generator[Any]:
    """(number, chunk) from chunk `first` on, without end; `workers` processes work ahead (0: this one)."""
    if not workers:
        yield from ((n, prepare(spec, n, model, limit)) for n in count(first))
    with multiprocessing.get_context("spawn").Pool(
        workers
    ) as pool:  # whose processes end with it, whatever they do
        waiting: deque[Any] = deque()
        for n in count(first):
            while len(waiting) <= workers:
                waiting.append(pool.apply_async(prepare, (spec, n + len(waiting), model, limit)))
            yield n, waiting.popleft().get()


# -------------------------------------------------------------- training


def make(args: argparse.Namespace) -> None:
    """Train, cut and save; goes on from OUT/state.pt where there is one."""
    import torch
    from peft import get_peft_model_state_dict, set_peft_model_state_dict
    from tqdm.auto import tqdm

    cuda, half = torch.cuda.is_available(), default_dtype() is torch.bfloat16
    limit = args.tokens or (24_576 if cuda else 4_096)
    spec = {"domains": args.domains, "split": "train", "seed": args.seed, "samples_each": args.chunk,
            "per_list": args.per_list, "kinds": {k: args.kinds.get(k, 1.0) for k in world.KINDS},
            "words": args.words, "wide": args.wide, "made_up": args.made_up, "contamination": args.contamination}  # fmt: skip
    made_from = key(spec, args.model, limit, args.rate, args.rank, args.keep, args.tokens_total, args.minutes)
    total = None if args.minutes else args.tokens_total
    zero = dict.fromkeys(("step", "tokens", "computed", "seconds", "chunk", "at"), 0)
    state: dict[str, Any] = {**zero, "total": total, "kinds": Counter(), "left_out": {}, "bad_tools": []}
    state |= {"made_from": made_from, "rank": args.rank, "energy": 1.0, "compiled": (0, 0.0)}
    kept, history = args.out / "state.pt", args.out / "history.jsonl"
    if kept.exists():
        state = torch.load(kept, map_location="cpu", weights_only=False)
        if state["made_from"] != made_from:
            raise SystemExit(f"{kept} has other settings. Give the same ones, another --out, or remove it.")

    def with_adapter(base: Any) -> tuple[Any, Any]:
        policy = lora_policy(base, LoraSettings(rank=state["rank"], alpha=2 * state["rank"]), None, seed=0)
        trained = [p for p in policy.parameters() if p.requires_grad]
        return policy, torch.optim.AdamW(trained, args.rate, (0.9, 0.98), weight_decay=0.0)

    policy, optimiser = with_adapter(load_base(args.model)[0])
    if state["step"]:
        set_peft_model_state_dict(policy, state["adapter"])
        optimiser.load_state_dict(state["optimiser"])
    args.out.mkdir(parents=True, exist_ok=True)
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    # The steps beyond the checkpoint come again.
    write_text(history, "".join(f"{line}\n" for line in lines[: state["step"]]))

    def loss_of(packed: Packed) -> Any:
        longest = max(limit, packed.input_ids.shape[1])
        fused = BLOCK * math.ceil(longest / BLOCK) if cuda else None
        return -packed_logps(policy, packed, bf16=half, fused=fused)[0].mean()

    def save() -> None:
        adapter = {name: w.detach().cpu() for name, w in get_peft_model_state_dict(policy).items()}
        state.update(optimiser=optimiser.state_dict(), adapter=adapter)
        with atomic(kept) as temporary:
            torch.save(state, temporary)

    finished = state["total"] is not None and state["tokens"] >= state["total"]
    bar = tqdm(desc="train the embedded model", unit="tok", unit_scale=True, initial=state["tokens"])
    work = passes(spec, args.model, limit, args.workers, state)
    for rows, packed, at in () if finished else ahead(work):
        if not cuda and not state["step"]:
            _ask_for_time(args, rows[:8], loss_of)
        started = time.monotonic()
        done = min(1.0, state["tokens"] / state["total"]) if state["total"] else 0.0
        if done >= CUT_AT and state["rank"] > args.keep:
            weights, state["energy"] = truncated(get_peft_model_state_dict(policy), args.keep)
            state["rank"] = args.keep
            policy, optimiser = with_adapter(policy.unload())
            set_peft_model_state_dict(policy, {name: w.float() for name, w in weights.items()})
        rate = args.rate * min(1.0, (state["step"] + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))
        optimiser.param_groups[0]["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        loss = loss_of(packed)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
        optimiser.step()
        said, tokens = float(loss.detach()), sum(len(r.prompt) + len(r.completion) for r in rows)
        state["kinds"].update(r.kind for r in rows)
        more = {"step": 1, "tokens": tokens, "computed": packed.input_ids.shape[1]}
        more |= {"seconds": time.monotonic() - started}  # type: ignore[dict-item]
        state.update({name: state[name] + by for name, by in more.items()} | at)
        if state["step"] == COMPILED:
            state["compiled"] = state["tokens"], state["seconds"]
        if not state["total"] and state["step"] == WARM_UP:  # from here on the schedule is fixed
            tokens_then, seconds_then = state["compiled"]
            speed = (state["tokens"] - tokens_then) / (state["seconds"] - seconds_then)
            state["total"] = int(state["tokens"] + speed * max(0.0, args.minutes * 60 - state["seconds"]))
        with history.open("a", encoding="utf-8") as out:
            out.write(json.dumps({n: state[n] for n in more} | {"loss": said, "rate": rate}) + "\n")
        bar.total = state["total"]
        bar.set_postfix(loss=f"{said:.4f}", refresh=False)
        bar.update(tokens)
        if finished := state["total"] is not None and state["tokens"] >= state["total"]:
            save()
            break
        if state["step"] % args.save_steps == 0:
            save()
    bar.close()
    _finish(args, spec, state, policy, limit, torch.cuda.get_device_name() if cuda else "CPU")


def passes(
    spec: dict[str, Any], model: str, limit: int, workers: int, state: dict[str, Any]
) -> Iterator[tuple[list[Row], dict[str, Any]]]:
    """The passes that `state` has not seen, each with what it changes in `state`. Ends the script where a
    chunk is empty.
    """
    first, left_out, bad_tools = state["chunk"], dict(state["left_out"]), set(state["bad_tools"])
    with closing(stream(spec, model, limit, first, workers)) as chunks:
        for number, chunk in chunks:
            if not chunk.passes:
                raise SystemExit(
                    f"No sample of seed {seed_of(spec, number)} is left: a benchmark has them all."
                )
            left_out[number] = chunk.left_out
            bad_tools |= set(chunk.bad_tools)
            for at in range(state["at"] if number == first else 0, len(chunk.passes)):
                now = {
                    "chunk": number,
                    "at": at + 1,
                    "left_out": dict(left_out),
                    "bad_tools": sorted(bad_tools),
                }
                yield chunk.passes[at], now


def ahead(
    work: Iterator[tuple[list[Row], dict[str, Any]]],
) -> Iterator[tuple[list[Row], Packed, dict[str, Any]]]:
    """The passes with their packed rows: while one is trained on, the next is fetched and packed."""

    def following() -> tuple[list[Row], Packed, dict[str, Any]] | None:
        found = next(work, None)
        return found and (found[0], packed_of(found[0]), found[1])

    with closing(work), ThreadPoolExecutor(1) as packer:  # type: ignore[type-var]
        waiting = packer.submit(following)
        while (ready := waiting.result()) is not None:
            waiting = packer.submit(following)
            yield ready


def packed_of(rows: Sequence[Row]) -> Packed:
    """A pass as one row."""
    return pack([r.prompt for r in rows], [r.completion for r in rows])


def _ask_for_time(args: argparse.Namespace, rows: Sequence[Row], loss_of: Any) -> None:
    """Without a GPU: say, from a small pass, how long it would take; end where that is long and unasked."""
    loss_of(packed_of(rows[:1])).backward()  # what happens only once
    started = time.monotonic()
    loss_of(packed_of(rows)).backward()
    a_token = (time.monotonic() - started) / sum(len(r.prompt) + len(r.completion) for r in rows)
    minutes = args.minutes or args.tokens_total * a_token / 60
    work = f"{minutes:g} minutes of training" if args.minutes else f"{args.tokens_total:,} tokens"
    print(f"There is no GPU here: about {minutes / 60:.1f} hours for {work}.", flush=True)
    if minutes > LONG and not args.yes:
        raise SystemExit("Give --yes to go on, --tokens-total or --minutes for less, or take a GPU.")


def truncated(weights: dict[str, Any], rank: int) -> tuple[dict[str, Any], float]:
    """The best adapter of lower rank (SVD of each B A), and the share of the updates' energy that it keeps.

    `weights` has PEFT's names. The product is what counts, so the scale alpha / rank has to stay what it was.
    """
    import torch

    out, kept, whole = {}, 0.0, 0.0
    for name in sorted(n for n in weights if ".lora_A." in n):
        other = name.replace(".lora_A.", ".lora_B.")
        a, b = weights[name].double(), weights[other].double()
        left, left_r = torch.linalg.qr(b)
        right, right_r = torch.linalg.qr(a.T)
        u, s, v = torch.linalg.svd(left_r @ right_r.T)
        root = s[:rank].sqrt()
        out[name] = (root[:, None] * (v[:rank] @ right.T)).contiguous()
        out[other] = (left @ u[:, :rank] * root).contiguous()
        kept, whole = kept + float((s[:rank] ** 2).sum()), whole + float((s**2).sum())
    return out, kept / whole if whole else 1.0


def _finish(
    args: argparse.Namespace,
    spec: dict[str, Any],
    state: dict[str, Any],
    policy: Any,
    limit: int,
    device: str,
) -> None:
    """Save the truncated adapter and its data spec."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    folder = args.out / "adapter"
    weights = get_peft_model_state_dict(policy)
    if state["rank"] > args.keep:
        weights, state["energy"] = truncated(weights, args.keep)
    with atomic(folder / "adapter_model.safetensors") as temporary:
        half = {name: weight.to(torch.bfloat16).cpu().contiguous() for name, weight in weights.items()}
        save_file(half, temporary, metadata={"format": "pt"})
    config = policy.peft_config["default"]
    config.save_pretrained(folder)
    settings = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    settings |= {
        "r": args.keep,
        "lora_alpha": 2 * args.keep,
        "inference_mode": True,
        "layers_to_transform": None,
    }
    settings |= {"base_model_name_or_path": HUB_ID, "target_modules": sorted(config.target_modules)}
    write_text(folder / "adapter_config.json", json.dumps(settings, indent=1, sort_keys=True) + "\n")
    found = hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()
    named = Path(spec["contamination"]).name if spec["contamination"] else None
    left_out = sum(state["left_out"].values())
    facts = {
        "made_by": "benchmarks/embedded.py",
        "commit": _commit(),
        "versions": {name: version(name) for name in ("looptool-kit", "torch", "transformers", "peft")},
        "base": args.model if args.model == "embedded-base" else Path(args.model).name,
        **{name: spec[name] for name in ("domains", "split")},
        "seeds": [seed_of(spec, n) for n in range(state["chunk"] + 1)],
        **{name: spec[name] for name in ("samples_each", "per_list", "kinds", "words", "wide", "made_up")},
        "contamination": {"list": named, "tools_left_out": state["bad_tools"], "samples_left_out": left_out},
        "samples_seen": state["kinds"].total(),
        "samples_seen_by_kind": dict(state["kinds"]),
        "tokens_seen": state["tokens"],
        "tokens_computed": state["computed"],
        "steps": state["step"],
        "tokens_a_step": limit,
        "learning_rate": args.rate,
        "warm_up_steps": WARM_UP,
        "rank_trained": args.rank,
        "rank": args.keep,
        "alpha": 2 * args.keep,
        "cut_at": CUT_AT,
        "energy_kept": round(state["energy"], 4),
        "seconds": round(state["seconds"], 1),
        "device": device,
        "adapter_sha256": found,
    }
    write_json(folder / "data.json", facts)
    print(
        f"Rank {args.rank} cut to {args.keep} kept {state['energy']:.1%} of the update's energy.\nLeft out"
        f" because a benchmark has them: {left_out} samples, {len(state['bad_tools'])} tools.\nWrote"
        f" {folder}, SHA-256 {found}.\nEvaluate it: python benchmarks/embedded.py --check --adapter"
        f" {folder}\nShip it: copy its files into looptool_kit/policy/embedded, set ADAPTER_SHA256 in"
        " looptool_kit/policy/models.py."
    )


def _commit() -> str | None:
    def git(*what: str) -> str:
        done = subprocess.run(["git", *what], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", "looptool_kit", "benchmarks/embedded.py")
    return f"{commit}, with changes" if commit and changed else commit or None


# ----------------------------------------------------------------- check


def check(args: argparse.Namespace) -> None:
    """Evaluate base and adapter and print the tables; the shipped adapter's go into the card as well."""
    if args.threads:
        import torch

        torch.set_num_threads(args.threads)
    base, card = base_policy(args.model).model_copy(update={"name": "embedded-base"}), args.card
    after = base_policy("embedded").model_copy(update={"name": "embedded"})
    if args.adapter is not None:
        found = hashlib.sha256((args.adapter / "adapter_model.safetensors").read_bytes()).hexdigest()
        new = {"name": "new adapter", "adapter": str(args.adapter), "key": found}
        after, card = base.model_copy(update=new), None
    command = "`python benchmarks/embedded.py --check"
    command += f" --samples {args.samples} --base-samples {args.base_samples}"
    scores = {p.name: _held_out(args, p, n) for p, n in ((base, args.base_samples), (after, args.samples))}
    parts = {"all": "", **{name: name for name in SPLITS}, **{kind: kind for kind in world.KINDS}}
    _show(card, "held-out", f"{command}`; exact match, greedy, held-out samples of the world", scores, parts)
    if not args.bfcl:
        return
    for policy, n in ((base, min(args.bfcl, args.base_samples)), (after, args.bfcl)):
        folder = args.out / "check" / f"bfcl-{policy.key.replace('/', '-')[:40]}"
        run = Run.open(folder) if (folder / "run.toml").exists() else Run.create(folder)
        scores[policy.name] = list(bfcl.evaluate(run, policy, ["single_turn"], n))
    parts = {s.split: s.split for rows in scores.values() for s in rows}
    _show(card, "bfcl", f"{command} --bfcl {args.bfcl}`; BFCL, official checkers", scores, parts)


def _held_out(args: argparse.Namespace, policy: Any, n: int) -> list[Any]:
    """A policy's scores on `n` samples of each split; every 25 of them have a file and are done once."""
    from tqdm.auto import tqdm

    out: list[Any] = []
    todo: list[tuple[str, Path, Samples]] = []
    for name, (split, of) in SPLITS.items():
        # Many tool lists, since what a policy gets wrong about a tool it gets wrong wherever that is offered.
        samples = world.generate(args.samples, "card", split, domains=of, per_list=2)
        samples = samples[:: max(1, len(samples) // max(1, n))][:n]
        for at in range(0, len(samples), 25):
            part = samples[at : at + 25]
            made_from = key(part, policy.key, policy.model, args.max_new_tokens)
            todo.append((name, args.out / "check" / f"{made_from}.parquet", part))
    for name, file, part in tqdm(todo, desc=f"check {policy.name}", unit="part"):
        if not file.exists():
            engine = open_engine(policy, args.batch)
            held_out.score(engine, part, policy.name, args.max_new_tokens).write(file)
        out += [s.model_copy(update={"suite": name}) for s in Scores.read(file)]
    return out


def _show(
    card: Path | None, mark: str, head: str, scores: dict[str, list[Score]], parts: dict[str, str]
) -> None:
    lines = [f"Printed by {head}; 95% intervals (Wilson).", "", "| | "]
    lines[-1] += " | ".join(f"{p} | of" for p in scores) + " |\n| --- |" + " --- | --- |" * len(scores)
    for name, wanted in parts.items():
        cells = []
        for rows in scores.values():
            right = [s.correct for s in rows if wanted in ("", s.suite, s.split, s.kind)]
            share = [100 * x for x in (sum(right) / max(1, len(right)), *wilson(sum(right), len(right)))]
            cells.append("{:.1f}% [{:.1f}, {:.1f}] | {}".format(*share, len(right)) if right else "- | 0")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    print("\n" + "\n".join(lines) + "\n", flush=True)
    if card:
        fill(card, mark, "\n".join(lines))


def fill(page: Path, mark: str, text: str) -> None:
    """Put `text` between the page's comments `<!-- mark -->` and `<!-- end mark -->`."""
    before = page.read_text(encoding="utf-8")
    between = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- end {mark} -->)", re.DOTALL)
    if len(between.findall(before)) != 1:
        raise SystemExit(f"{page} does not have the comments <!-- {mark} --> and <!-- end {mark} --> once")
    write_text(page, between.sub(lambda found: f"{found[1]}{text}\n{found[2]}", before))


# ------------------------------------------------------------------ main


def weights_of(text: str) -> dict[str, float]:
    """`single=1,parallel=2` as {kind: weight}. Raises `argparse.ArgumentTypeError`."""
    out: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, value = part.partition("=")
        try:
            out[name] = float(value)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{part!r} is not KIND=WEIGHT") from None
        if name not in world.KINDS or not 0 <= out[name] < math.inf:
            raise argparse.ArgumentTypeError(
                f"{part!r}: kinds are {', '.join(world.KINDS)}, weights 0 or more"
            )
    return out


def arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    number, real = {"type": int}, {"type": float}
    workers = min(8, (os.cpu_count() or 1) - 1)
    options: list[tuple[str, Any, dict[str, Any], str]] = [
        (
            "out",
            Path("runs/embedded"),
            {"type": Path},
            "for adapter, checkpoint, history and finished checks",
        ),
        ("model", "embedded-base", {}, "what the adapter is for"),
        ("domains", domains(), {"nargs": "+"}, "domains of the world to train on"),
        ("kinds", {}, {"type": weights_of}, "weights of task kinds, as single=1,parallel=2 (else 1)"),
        ("words", 1.0, real, "weight of samples in which a value is said in other words"),
        ("per-list", 6, number, "samples that share a tool list"),
        ("wide", 0.5, real, "share of the world's tool lists that get tools of other domains too"),
        ("made-up", 0.5, real, "share of samples on made-up tools"),
        ("seed", "base", {}, "of the data"),
        ("chunk", 2_000, number, "samples of the world of one seed"),
        ("contamination", None, {}, "list of benchmarks' fingerprints: what they have is left out"),
        ("tokens", None, number, "tokens of a pass, shared ones counted once (24576 on a GPU, else 4096)"),
        ("tokens-total", 40_000_000, number, "tokens to train on, shared ones counted every time"),
        ("minutes", None, real, "how long to train, in place of --tokens-total"),
        ("rate", 1.5e-3, real, "learning rate"),
        ("rank", 16, number, "rank that is trained"),
        ("keep", 8, number, "rank that is saved"),
        ("save-steps", 100, number, "steps between checkpoints"),
        ("workers", workers, number, "processes that prepare the data"),
        ("adapter", None, {"type": Path}, "check this one, not the shipped one, and leave the card alone"),
        ("samples", 150, number, "held-out samples a split"),
        (
            "base-samples",
            15,
            number,
            "the same for embedded-base, whose answers are long; so of BFCL's entries",
        ),
        ("bfcl", 0, number, "check also this many entries of each single-turn category of BFCL"),
        ("max-new-tokens", 160, number, "length limit of an answer to a held-out sample"),
        ("batch", 32, number, "answers at once"),
        ("threads", 0, number, "threads of the check; 0: as torch has it"),
        ("card", ROOT / "docs" / "embedded.md", {"type": Path}, "page that the check's tables go into"),
    ]
    for name, value, more, text in options:
        ask.add_argument(f"--{name}", default=value, help=text, **more)
    ask.add_argument("--yes", action="store_true", help="train without a GPU however long it takes")
    ask.add_argument("--check", action="store_true", help="evaluate, do not train")
    args = ask.parse_args(argv)
    if wrong := sorted(set(args.domains) - set(domains())):
        free = ", ".join(domains())
        ask.error(f"{', '.join(wrong)}: held out, a CPU preset's or unknown. To train on: {free}")
    if not 1 <= args.keep <= args.rank:
        ask.error("--keep takes 1 to --rank")
    return args


def main(argv: Sequence[str] | None = None) -> None:
    """Make or check."""
    args = arguments(argv)
    try:
        check(args) if args.check else make(args)
    except FileNotFoundError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
