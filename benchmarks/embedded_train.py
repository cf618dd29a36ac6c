"""The training of the model `embedded`: one adapter over packed rows, resumable, cut to a lower rank."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import subprocess
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from embedded_data import Row, packed_of, passes, seed_of

from looptool_kit import world
from looptool_kit.config import LoraSettings
from looptool_kit.core.tables import atomic, write_json, write_text
from looptool_kit.policy.models import HUB_ID, default_dtype
from looptool_kit.policy.policy import load_base
from looptool_kit.run.keys import key
from looptool_kit.stages.train.common import lora_policy
from looptool_kit.stages.train.packing import Packed
from looptool_kit.stages.train.shared_prefix import packed_logps
from looptool_kit.stages.train.tree_attention import BLOCK

ROOT = Path(__file__).resolve().parent.parent
WARM_UP = 30
"""Steps in which the learning rate rises."""
COMPILED = 5
"""Steps that compile a GPU's kernels: --minutes is not counted from them."""
CUT_AT = 0.75
"""Share of the tokens after which the adapter is cut to the rank that is saved.

The rest of the training makes up for what that loses.
"""
MAX_MINUTES_UNASKED = 10.0
"""How long a training without a GPU may take without --yes."""


@dataclass
class Training:
    """A training in progress."""

    args: argparse.Namespace
    spec: dict[str, Any]
    """What decides the data."""
    limit: int
    """Tokens of a pass."""
    cuda: bool
    state: dict[str, Any]
    """Counts, and where in the data it stands: what a checkpoint holds beside weights and optimiser."""
    policy: Any = None
    optimiser: Any = None

    @property
    def checkpoint(self) -> Path:
        return self.args.out / "state.pt"

    @property
    def history(self) -> Path:
        return self.args.out / "history.jsonl"

    @property
    def done(self) -> float:
        """The share of the tokens that were trained on; 0 while their total is not known."""
        return min(1.0, self.state["tokens"] / self.state["total"]) if self.state["total"] else 0.0

    @property
    def finished(self) -> bool:
        return self.state["total"] is not None and self.state["tokens"] >= self.state["total"]


def make(args: argparse.Namespace) -> None:
    """Train, cut and save; resumes from OUT/state.pt where there is one."""
    import torch
    from tqdm.auto import tqdm

    training = _begin(args)
    state = training.state
    bar = tqdm(desc="train the embedded model", unit="tok", unit_scale=True, initial=state["tokens"])
    work = passes(training.spec, args.model, training.limit, args.workers, state)
    for rows, packed, at in () if training.finished else ahead(work):
        if not training.cuda and not state["step"]:
            _ask_for_time(training, rows[:8])
        loss, tokens = _step(training, rows, packed, at)
        bar.total = state["total"]
        bar.set_postfix(loss=f"{loss:.4f}", refresh=False)
        bar.update(tokens)
        if training.finished or state["step"] % args.save_steps == 0:
            _save(training)
        if training.finished:
            break
    bar.close()
    _finish(training, torch.cuda.get_device_name() if training.cuda else "CPU")


def _begin(args: argparse.Namespace) -> Training:
    """The training as its checkpoint left it, or a new one. Ends the script where settings differ."""
    import torch
    from peft import set_peft_model_state_dict

    cuda = torch.cuda.is_available()
    limit = args.tokens or (24_576 if cuda else 4_096)
    spec = {
        "domains": args.domains,
        "split": "train",
        "seed": args.seed,
        "samples_each": args.chunk,
        "per_list": args.per_list,
        "kinds": {k: args.kinds.get(k, 1.0) for k in world.KINDS},
        "words": args.words,
        "wide": args.wide,
        "made_up": args.made_up,
        "contamination": args.contamination,
    }
    made_from = key(spec, args.model, limit, args.rate, args.rank, args.keep, args.tokens_total, args.minutes)
    total = None if args.minutes else args.tokens_total
    zero = dict.fromkeys(("step", "tokens", "computed", "seconds", "chunk", "at"), 0)
    state: dict[str, Any] = {**zero, "total": total, "kinds": Counter(), "left_out": {}, "bad_tools": []}
    state |= {"made_from": made_from, "rank": args.rank, "energy": 1.0, "compiled": (0, 0.0)}
    training = Training(args, spec, limit, cuda, state)
    if training.checkpoint.exists():
        state = training.state = torch.load(training.checkpoint, map_location="cpu", weights_only=False)
        if state["made_from"] != made_from:
            raise SystemExit(
                f"{training.checkpoint} has other settings. Give the same ones, another --out, or remove it."
            )
    _with_adapter(training, load_base(args.model)[0])
    if state["step"]:
        set_peft_model_state_dict(training.policy, state["adapter"])
        training.optimiser.load_state_dict(state["optimiser"])
    args.out.mkdir(parents=True, exist_ok=True)
    history = training.history
    lines = history.read_text(encoding="utf-8").splitlines() if history.exists() else []
    # The steps beyond the checkpoint come again.
    write_text(history, "".join(f"{line}\n" for line in lines[: state["step"]]))
    return training


def _with_adapter(training: Training, base: Any) -> None:
    """Put a new adapter of the state's rank on the base model, with a new optimiser."""
    import torch

    rank = training.state["rank"]
    training.policy = lora_policy(base, LoraSettings(rank=rank, alpha=2 * rank), None, seed=0)
    trained = [p for p in training.policy.parameters() if p.requires_grad]
    training.optimiser = torch.optim.AdamW(trained, training.args.rate, (0.9, 0.98), weight_decay=0.0)


def _loss(training: Training, packed: Packed) -> Any:
    import torch

    longest = max(training.limit, packed.input_ids.shape[1])
    fused = BLOCK * math.ceil(longest / BLOCK) if training.cuda else None
    half = torch.bfloat16 if default_dtype() is torch.bfloat16 else None
    return -packed_logps(training.policy, packed, half=half, fused=fused)[0].mean()


def _save(training: Training) -> None:
    import torch
    from peft import get_peft_model_state_dict

    weights = get_peft_model_state_dict(training.policy)
    adapter = {name: w.detach().cpu() for name, w in weights.items()}
    training.state.update(optimiser=training.optimiser.state_dict(), adapter=adapter)
    with atomic(training.checkpoint) as temporary:
        torch.save(training.state, temporary)


def _cut(training: Training) -> None:
    """Continue with the best adapter of the rank that is saved."""
    from peft import get_peft_model_state_dict, set_peft_model_state_dict

    state, keep = training.state, training.args.keep
    weights, state["energy"] = truncated(get_peft_model_state_dict(training.policy), keep)
    state["rank"] = keep
    _with_adapter(training, training.policy.unload())
    set_peft_model_state_dict(training.policy, {name: w.float() for name, w in weights.items()})


def _step(training: Training, rows: Sequence[Row], packed: Packed, at: dict[str, Any]) -> tuple[float, int]:
    """One optimiser step: its loss, and the tokens it saw. `at` is the place in the data behind it."""
    import torch

    started = time.monotonic()
    args, state, done = training.args, training.state, training.done
    if done >= CUT_AT and state["rank"] > args.keep:
        _cut(training)
    rate = args.rate * min(1.0, (state["step"] + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * done))
    optimiser = training.optimiser
    optimiser.param_groups[0]["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss = _loss(training, packed)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(optimiser.param_groups[0]["params"], 1.0)
    optimiser.step()
    value, tokens = float(loss.detach()), sum(len(r.prompt) + len(r.completion) for r in rows)
    state["kinds"].update(r.kind for r in rows)
    more: dict[str, float] = {"step": 1, "tokens": tokens, "computed": packed.input_ids.shape[1]}
    more["seconds"] = time.monotonic() - started
    state.update({name: state[name] + by for name, by in more.items()} | at)
    if state["step"] == COMPILED:
        state["compiled"] = state["tokens"], state["seconds"]
    if not state["total"] and state["step"] == WARM_UP:  # from here on the schedule is fixed
        tokens_then, seconds_then = state["compiled"]
        speed = (state["tokens"] - tokens_then) / (state["seconds"] - seconds_then)
        state["total"] = int(state["tokens"] + speed * max(0.0, args.minutes * 60 - state["seconds"]))
    with training.history.open("a", encoding="utf-8") as out:
        out.write(json.dumps({n: state[n] for n in more} | {"loss": value, "rate": rate}) + "\n")
    return value, tokens


def ahead(
    work: Generator[tuple[list[Row], dict[str, Any]]],
) -> Iterator[tuple[list[Row], Packed, dict[str, Any]]]:
    """The passes with their packed rows: while one is trained on, the next is fetched and packed."""

    def following() -> tuple[list[Row], Packed, dict[str, Any]] | None:
        found = next(work, None)
        return found and (found[0], packed_of(found[0]), found[1])

    with closing(work), ThreadPoolExecutor(1) as packer:
        waiting = packer.submit(following)
        while (ready := waiting.result()) is not None:
            waiting = packer.submit(following)
            yield ready


def _ask_for_time(training: Training, rows: Sequence[Row]) -> None:
    """Without a GPU: say, from a small pass, how long it would take; end where that is long and unasked."""
    args = training.args
    _loss(training, packed_of(rows[:1])).backward()  # what happens only once
    started = time.monotonic()
    _loss(training, packed_of(rows)).backward()
    a_token = (time.monotonic() - started) / sum(len(r.prompt) + len(r.completion) for r in rows)
    minutes = args.minutes or args.tokens_total * a_token / 60
    work = f"{minutes:g} minutes of training" if args.minutes else f"{args.tokens_total:,} tokens"
    print(f"There is no GPU here: about {minutes / 60:.1f} hours for {work}.", flush=True)
    if minutes > MAX_MINUTES_UNASKED and not args.yes:
        raise SystemExit(
            "Give --yes to train all the same, --tokens-total or --minutes for less, or take a GPU."
        )


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


def _finish(training: Training, device: str) -> None:
    """Save the adapter at its last rank and its data spec, and say what to do next."""
    args, state = training.args, training.state
    found = _write_adapter(training)
    left_out = sum(state["left_out"].values())
    write_json(args.out / "adapter" / "data.json", _facts(training, device, left_out, found))
    folder = args.out / "adapter"
    print(
        f"Rank {args.rank} cut to {args.keep} kept {state['energy']:.1%} of the update's energy.\nLeft out"
        f" because a benchmark has them: {left_out} samples, {len(state['bad_tools'])} tools.\nWrote"
        f" {folder}, SHA-256 {found}.\nEvaluate it: python benchmarks/embedded.py --check --adapter"
        f" {folder}\nShip it: copy its files into looptool_kit/policy/embedded, set ADAPTER_SHA256 in"
        " looptool_kit/policy/models.py."
    )


def _write_adapter(training: Training) -> str:
    """Write the adapter in bfloat16 as PEFT has it; gives the SHA-256 of its weights."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    args, state, folder = training.args, training.state, training.args.out / "adapter"
    weights = get_peft_model_state_dict(training.policy)
    if state["rank"] > args.keep:
        weights, state["energy"] = truncated(weights, args.keep)
    with atomic(folder / "adapter_model.safetensors") as temporary:
        half = {name: weight.to(torch.bfloat16).cpu().contiguous() for name, weight in weights.items()}
        save_file(half, temporary, metadata={"format": "pt"})
    config = training.policy.peft_config["default"]
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
    return hashlib.sha256((folder / "adapter_model.safetensors").read_bytes()).hexdigest()


def _facts(training: Training, device: str, left_out: int, found: str) -> dict[str, Any]:
    """What data.json says: data, recipe, and what the training took."""
    args, spec, state = training.args, training.spec, training.state
    named = Path(spec["contamination"]).name if spec["contamination"] else None
    return {
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
        "tokens_a_step": training.limit,
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


def _commit() -> str | None:
    def git(*what: str) -> str:
        done = subprocess.run(["git", *what], cwd=ROOT, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    changed = git("status", "--porcelain", "--", "looptool_kit", "benchmarks")
    return f"{commit}, with changes" if commit and changed else commit or None
