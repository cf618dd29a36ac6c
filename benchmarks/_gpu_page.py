"""The tables of `gpu.py`, and their place in docs/gpu.md."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- figures: benchmarks/gpu.py -->", "<!-- end of figures -->"
NOT_SEEN = "not seen"
TARGETS = {"grpo-0.6b": (6, 0.5), "grpo-4b": (8, 0.5), "grpo-0.6b-long": (8, 0.5), "sft-0.6b": (3, None)}
"""(times TRL's speed at least, share of its peak memory at most)."""
ERROR = 0.25
"""The estimate's error at most."""

Found = Mapping[str, Mapping[str, Any]]


def report(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    """All tables in Markdown; a row without figures says why it has none."""
    facts = [f for f in found.values() if "figures" in f]
    head = ["Nothing was measured yet: all of it is not seen."]
    if facts:
        cards = sorted({f["card"] for f in facts})
        dates = sorted({f["date"] for f in facts})
        versions = sorted({f"{k} {v}" for f in facts for k, v in f["versions"].items()})
        toy = any(f["tiny"] for f in facts)
        head = [
            f"{'Toy shapes: these figures mean nothing. ' if toy else ''}Card: {', '.join(cards)};"
            f" {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}; Python {facts[0]['python']},"
            f" {', '.join(versions)}. Share: useful operations by the card's 16-bit peak on its data sheet."
        ]
    tables = (_equality, _speed, _against_trl, _whole, _engines, _estimate, _loop)
    return "\n\n".join([*head, *(table(found, names) for table in tables)])


def write_page(page: Path, figures: str) -> None:
    """Replace the figures in the page. Raises ValueError where it has no place for them."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no lines {BEGIN} and {END} between which the figures belong")
    page.write_text(f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}", encoding="utf-8")


def calibrated(found: Found) -> dict[str, float]:
    """The share of the peak that packed training reached: the median over the estimate's shapes."""
    shares = [
        f["figures"]["share"]
        for name, f in found.items()
        if name.startswith("estimate-") and not f["tiny"] and f.get("figures", {}).get("share")
    ]
    return {"packed": round(statistics.median(shares), 3)} if shares else {}


# ----------------------------------------------------------------- tables


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"### {title}", "", "| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)])


def _figures(found: Found, key: str) -> Any:
    return found.get(key, {}).get("figures")


def _why(found: Found, key: str, columns: int) -> list[str]:
    """The cells of a row without figures."""
    facts = found.get(key, {})
    reason = facts.get("not_seen") or facts.get("failed") or ""
    said = f"{NOT_SEEN}{': ' + ' '.join(reason.split())[:120] if reason else ''}".replace("|", "/")
    return [said, *[""] * (columns - 1)]


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.0%}"


def _equality(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    rows = []
    for name in (n for n in names["attention"] if n.startswith("equality-")):
        key, f = f"attention-{name}", _figures(found, f"attention-{name}")
        cells = (
            [
                f"{f['mean_difference']:.2e}",
                f"{f['mean_difference_plain']:.2e}",
                f"{f['cosine']:.5f}",
                f"{f['cosine_plain']:.5f}",
                "yes"
                if f["mean_difference"] <= 2 * f["mean_difference_plain"] and f["cosine"] >= 0.999
                else "**no**",
            ]
            if f
            else _why(found, key, 5)
        )
        rows.append([name.removeprefix("equality-"), *cells])
    columns = [
        "model",
        "log-probs: mean distance from float32",
        "plain rows'",
        "gradients: cosine",
        "plain rows'",
        "met",
    ]
    return _table("Equality of the fused kernel in 16 bits", columns, rows)


def _speed(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    rows = []
    for name in (n for n in names["attention"] if n.startswith("speed-")):
        f = _figures(found, f"attention-{name}")
        for way in ("fused", "buckets"):
            cells = _why(found, f"attention-{name}", 5)
            if f:
                own = f[way]
                cells = [
                    f"{f['tokens']:,}",
                    f"{own['seconds']:.3f}",
                    f"{own['peak_gb']:.1f}",
                    _percent(own["share"]),
                    f"{f['packing_seconds']:.3f}",
                ]
            rows.append([name.removeprefix("speed-"), way, *cells])
    columns = ["shape", "attention", "tokens", "seconds", "peak GB", "share", "packing, seconds"]
    return _table("Forward and backward pass over packed rows", columns, rows)


def _against_trl(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    rows = []
    for name in (n for n in names["step"] if n in TARGETS):
        f, (times, memory) = _figures(found, f"step-{name}"), TARGETS[name]
        cells = _why(found, f"step-{name}", 6)
        if f and not f["TRL"]:
            cells = [f"{f['ours']['seconds']:.2f}", "out of memory at every micro-batch", "", "", "", ""]
        elif f:
            ours, theirs = f["ours"], f["TRL"]
            met = f["times"] >= times and (memory is None or f["memory"] <= memory)
            target = f"{times}x" + (f", {memory:.0%}" if memory else "")
            cells = [
                f"{ours['seconds']:.2f} / {theirs['seconds']:.2f} (rows at once: {theirs['micro_batch']})",
                f"{f['times']:.1f}x",
                f"{ours['peak_gb']:.1f} / {theirs['peak_gb']:.1f}",
                f"{_percent(ours['share'])} / {_percent(theirs['share'])}",
                f"{ours['first_norm']:.4g} / {theirs['first_norm']:.4g}" if "first_norm" in ours else "",
                f"{target}: {'toy' if found[f'step-{name}']['tiny'] else 'met' if met else '**missed**'}",
            ]
        rows.append([name, *cells])
    columns = [
        "step",
        "seconds, ours / TRL's best",
        "speed",
        "peak GB",
        "share",
        "first gradient's norm",
        "target",
    ]
    return _table("An optimiser step against TRL's trainer", columns, rows)


def _whole(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    rows = []
    for name in (n for n in names["step"] if n.startswith("whole-")):
        f = _figures(found, f"step-{name}")
        cells = _why(found, f"step-{name}", 5)
        if f:
            cells = [
                f"{f['completions']} of up to {f['most_new']} tokens",
                f"{f['generation']:.2f}",
                f"{f['log_probs']:.2f}",
                f"{f['update']:.2f}",
                f"{f['step']:.2f}",
            ]
        rows.append([name.removeprefix("whole-"), *cells])
    columns = ["model, engine", "completions", "generation", "log-probs", "update", "step, seconds"]
    return _table("A whole GRPO step of the trainer trl", columns, rows)


def _engines(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    rows = []
    answers = {n: f["answers"] for n in names["engines"] if (f := _figures(found, f"engines-{n}"))}
    for name in names["engines"]:
        f = _figures(found, f"engines-{name}")
        cells = _why(found, f"engines-{name}", 4)
        if f:
            pairs = list(zip(f["answers"], answers.get("transformers", []), strict=False))
            equal = f"{sum(a == b for a, b in pairs)} of {len(pairs)}" if pairs else ""
            asleep = f"{f['sleep']:.1f} / {f['wake']:.1f}" if "sleep" in f else ""
            cells = [f"{f['open']:.1f}", f"{f['tokens'] / f['seconds']:,.0f}", asleep, equal]
        rows.append([name, *cells])
    columns = [
        "engine",
        "start, seconds",
        "new tokens a second",
        "sleep / wake, seconds",
        "answers as transformers has them",
    ]
    return _table("Engines", columns, rows)


def _estimate(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    share = calibrated(found).get("packed")
    rows = []
    for name in names["estimate"]:
        f = _figures(found, f"estimate-{name}")
        cells = _why(found, f"estimate-{name}", 6)
        if f:
            off = f["formula_gb"] / f["peak_gb"] - 1
            late = f["share"] / share - 1 if share and f["share"] else None
            met = abs(off) <= ERROR and late is not None and abs(late) <= ERROR
            cells = [
                f"{f['formula_gb']:.1f} / {f['peak_gb']:.1f}",
                f"{off:+.0%}",
                f"{f['seconds']:.3f}",
                _percent(f["share"]),
                "" if late is None else f"{late:+.0%}",
                "toy" if found[f"estimate-{name}"]["tiny"] else "yes" if met else "**no**",
            ]
        rows.append([name, *cells])
    columns = [
        "shape",
        "GB, formula / measured",
        "error",
        "seconds",
        "share",
        "error of the time at the median share",
        "met",
    ]
    return _table("The estimate against what was measured", columns, rows)


def _loop(found: Found, names: Mapping[str, Sequence[str]]) -> str:
    rows = []
    for name in names["loop"]:
        f = _figures(found, f"loop-{name}")
        cells = _why(found, f"loop-{name}", 2)
        rows.append([name, *([str(f["iterations"]), f"{f['seconds']:.0f}"] if f else cells)])
    return _table("A loop to its end", ["trainer", "iterations", "seconds"], rows)
