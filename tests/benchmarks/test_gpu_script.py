"""`benchmarks/gpu.py`: names, page, what the estimate gets; a measurement and a resumed run on toy shapes."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """(gpu, _gpu_page, _gpu_work), importable as beside each other."""
    sys.path.insert(0, str(BENCHMARKS))
    yield [importlib.import_module(name) for name in ("gpu", "_gpu_page", "_gpu_work")]
    sys.path.remove(str(BENCHMARKS))


def facts(tiny: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "card": "NVIDIA H100",
        "tiny": tiny,
        "date": "2026-01-02",
        "python": "3.12",
        "versions": {},
        **more,
    }


def of_estimate(share: float, formula: float) -> dict[str, Any]:
    figures = {"seconds": 1.0, "peak_gb": 10.0, "formula_gb": formula, "share": share}
    return facts(figures=figures)


def test_the_names_are_those_of_the_measurements(scripts: Any) -> None:
    gpu, _, _ = scripts
    assert set(gpu.NAMES) == set(gpu.PARTS)
    for part in gpu.PARTS:
        assert list(gpu.measurements(part)) == gpu.NAMES[part]


def test_what_was_not_measured_is_not_seen(scripts: Any) -> None:
    gpu, page, _ = scripts
    text = page.report({}, gpu.NAMES)
    assert "Nothing was measured yet" in text
    rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    named = [row for row in rows if page.NOT_SEEN in row]
    assert len(named) == len(rows) - 7 and len(named) == sum(map(len, gpu.NAMES.values())) + 3
    found = {"engines-vllm": facts(not_seen="no vllm | here"), "step-grpo-4b": facts(failed="Error: boom")}
    text = page.report(found, gpu.NAMES)
    assert "| vllm | not seen: no vllm / here |" in text and "| grpo-4b | not seen: Error: boom |" in text


def test_targets_are_met_or_missed_by_the_figures(scripts: Any) -> None:
    gpu, page, _ = scripts
    side = {"seconds": 1.0, "peak_gb": 10.0, "share": 0.4, "first_norm": 0.5, "micro_batch": 8}
    step = {"ours": side, "TRL": {**side, "seconds": 7.0}, "times": 7.0, "memory": 0.4}
    text = page.report(
        {"step-grpo-0.6b": facts(figures=step), "step-grpo-4b": facts(figures=step)}, gpu.NAMES
    )
    assert "| grpo-0.6b | 1.00 / 7.00 (rows at once: 8) | 7.0x |" in text and "6x, 50%: met" in text
    assert "8x, 50%: **missed**" in text  # 7 times is enough for the one and not for the other


def test_the_estimate_gets_the_median_share(scripts: Any) -> None:
    gpu, page, _ = scripts
    found = {
        "estimate-0.6b": of_estimate(0.2, 11.0),
        "estimate-4b": of_estimate(0.5, 13.0),
        "estimate-8b": of_estimate(0.4, 9.0),
        "estimate-1.7b": {**of_estimate(0.9, 10.0), "tiny": True},
    }
    assert page.calibrated(found) == {"packed": 0.4}
    text = page.report({k: v for k, v in found.items() if k != "estimate-1.7b"}, gpu.NAMES)
    assert "| 8b | 9.0 / 10.0 | -10% | 1.000 | 40% | +0% | yes |" in text
    assert "| 4b | 13.0 / 10.0 | +30% | 1.000 | 50% | +25% | **no** |" in text
    assert page.calibrated({}) == {}


def test_figures_replace_those_of_the_page_and_nothing_else(scripts: Any, tmp_path: Path) -> None:
    _, page, _ = scripts
    file = tmp_path / "gpu.md"
    file.write_text(f"before\n{page.BEGIN}\nold\n{page.END}\nbehind\n")
    page.write_page(file, "new")
    assert file.read_text() == f"before\n{page.BEGIN}\n\nnew\n\n{page.END}\nbehind\n"
    file.write_text("no place")
    with pytest.raises(ValueError, match="no lines"):
        page.write_page(file, "new")


def test_the_page_of_the_docs_says_what_the_script_says(scripts: Any) -> None:
    """No figure stands there that the script did not print."""
    gpu, page, _ = scripts
    text = (BENCHMARKS.parent / "docs" / "gpu.md").read_text(encoding="utf-8")
    figures = text.partition(page.BEGIN)[2].partition(page.END)[0].strip()
    measured = BENCHMARKS.parent / "looptool_kit" / "stages" / "train" / "measured.json"
    if not measured.exists():
        assert figures == page.report({}, gpu.NAMES)


def test_the_kernel_meets_its_bounds_on_toy_shapes(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn.attention import flex_attention

    _, _, work = scripts
    monkeypatch.setattr(flex_attention, "_validate_device", flex_attention._validate_device)
    found = work.equality(work.Machine.here(tiny=True), "gemma3_text")
    assert 0 < found["mean_difference"] <= 2 * found["mean_difference_plain"] and found["cosine"] >= 0.999


def test_a_run_continues_and_keeps_what_is_there(tmp_path: Path) -> None:
    """One part, one measurement of it missing; another's kept figures are not touched."""
    kept, page = tmp_path / "kept", tmp_path / "page.md"
    kept.mkdir()
    page.write_text("<!-- figures: benchmarks/gpu.py -->\n<!-- end of figures -->\n")
    figures = {"seconds": 1.0, "peak_gb": 1.0, "formula_gb": 1.0, "share": None}
    for name in ("0.6b", "1.7b", "4b"):
        (kept / f"estimate-{name}.json").write_text(json.dumps(facts(True, figures=figures)))
    (kept / "estimate-8b.json").write_text(json.dumps(facts(True, failed="out of memory")))
    before = {p.name: p.stat().st_mtime_ns for p in kept.iterdir()}
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--tiny", "--only", "estimate"]
    done = subprocess.run(
        [*command, "--kept", str(kept), "--page", str(page)], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    after = {p.name: p.stat().st_mtime_ns for p in kept.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"estimate-8b.json"}
    assert json.loads((kept / "estimate-8b.json").read_text())["figures"]["seconds"] > 0
    assert "Toy shapes" in page.read_text() and "| 8b |" in page.read_text()
