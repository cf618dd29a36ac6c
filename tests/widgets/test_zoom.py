"""Charts to zoom in: every probe is a dot, and what a model or a dataset wrote stays text."""

from __future__ import annotations

from pathlib import Path

import pytest

from looptool_kit.core.records import Probes
from looptool_kit.run.folder import Run
from looptool_kit.widgets import perplexity_chart

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def test_every_probe_is_a_dot_at_its_perplexity_and_nothing_is_fetched() -> None:
    run = Run.open(RECORDED, read_only=True)
    chart = perplexity_chart(run)
    probes = [p for j in run.iterations for p in run.table(Probes, "probes", j, missing_ok=True)]
    for trace in chart.data:
        state = trace.name.split(" ")[0]
        mine = sorted(p.perplexity for p in probes if p.state == state)
        assert sorted(trace.x) == pytest.approx(mine) and trace.name == f"{state} ({len(mine)})"
    assert len(chart.layout.shapes) == sum(bool(run.manifest("probes", j)) for j in run.iterations) > 0
    from plotly.io import renderers

    bundle = renderers["plotly_mimetype"].to_mimebundle(chart.to_dict())
    assert list(bundle) == ["application/vnd.plotly.v1+json"]


def test_markup_in_a_request_is_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from looptool_kit.core.samples import Sample

    monkeypatch.setattr(
        Sample, "request", property(lambda s: '<a href="javascript:x()">go\x1b[2J</a>' + "x" * 300)
    )
    texts = [t for trace in perplexity_chart(Run.open(RECORDED, read_only=True)).data for t in trace.text]
    assert texts and not any("<a" in t or "\x1b" in t for t in texts)
    assert all(t.startswith("&lt;a href") and len(t) < 250 for t in texts)


def test_a_run_without_probes_has_an_empty_chart(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        assert all(len(trace.x or ()) == 0 for trace in perplexity_chart(run).data)
