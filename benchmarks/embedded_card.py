"""The card of the model `embedded`: base and adapter on held-out samples and BFCL, tables for its page."""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path
from typing import Any

from _pages import wrapped
from embedded_data import OTHERS

from looptool_kit import world
from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import wilson
from looptool_kit.core.tables import write_text
from looptool_kit.policy.policy import base_policy, open_engine
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import key
from looptool_kit.stages.evaluate import of_samples
from looptool_kit.stages.evaluate.stage import evaluate, score

SPLITS: dict[str, tuple[str, Any]] = {
    "unseen values": ("unseen_values", OTHERS),
    "unseen phrasings": ("unseen_phrasings", OTHERS),
    "unseen tools": ("unseen_tools", ()),
}


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
        scores[policy.name] = list(evaluate(run, policy, "bfcl", ["single_turn"], n))
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
            asked = of_samples("held_out", "scores", part, args.max_new_tokens)
            score(engine, asked, asked.entries(), policy.name).write(file)
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
    write_text(page, wrapped(between.sub(lambda m: f"{m[1]}{text}\n{m[2]}", before)))
