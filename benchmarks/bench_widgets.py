"""How fast the probe view is with 100,000 probes, as a browser sees it: milliseconds, bytes sent, and the
kernel's processor time.

    python benchmarks/bench_widgets.py [--rows 100000] [--repeat 5]

Needs what the browser tests need: JupyterLab, Playwright and a Chromium. The probes are copies of those of
the recorded run in sample_data, with perplexities, requests and states of their own.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from looptool_kit.core.records import Probe, Probes
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.run.folder import Run

HERE = Path(__file__).resolve().parent
RECORDED = HERE.parent / "sample_data" / "run"

CELLS = (
    (
        "import os, sys, time\nfrom pathlib import Path\nsys.path.insert(0, {here!r})\nfrom bench_widgets"
        " import synthetic\nfrom looptool_kit.widgets import ProbeView\nprobes, samples ="
        " synthetic({rows})\nPath('pid').write_text(str(os.getpid()))"
    ),
    (
        "start = time.perf_counter()\nview = ProbeView(probes,"
        " samples)\nPath('made').write_text(str(time.perf_counter() - start))\nview"
    ),
)

# Each step starts something and waits until its result is on the page, and for the frame after that.
SCRIPT = """() => {
  const q = (s) => document.querySelector(`.jp-OutputArea section[aria-label=probes] ${s}`);
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  const first = () => q("[role=grid] [data-at='0']")?.innerText;
  const rows = () => q("[role=grid]").getAttribute("aria-rowcount");
  window.bench = {
    up: 0, q, first,
    async time(start, done, from) {
      const t0 = performance.now();
      await start();
      while (!done()) {
        if (performance.now() - t0 > 60000) throw new Error("waited in vain for: " + done);
        await frame();
      }
      await frame();
      return performance.now() - (from ? from() : t0);
    },
    paint() {
      const run = () => window.jupyterapp.commands.execute("notebook:run-cell");
      return bench.time(run, () => first() && q("svg.lt-histogram") && q("article"));
    },
    sort(name) {
      const before = first();
      const heads = [...document.querySelectorAll("[role=columnheader] button")];
      const head = heads.find((b) => b.innerText === name);
      return bench.time(() => head.click(), () => first() !== before);
    },
    choose(name, value) {
      const box = q(`select[aria-label=${name}]`), before = rows();
      box.value = value;
      const shown = () => !value || q(`[data-at='0'] [data-column=${name}]`)?.innerText === value;
      const ready = () => rows() !== before && shown();
      return bench.time(() => box.dispatchEvent(new Event("change")), ready);
    },
    find(text) {
      const box = q("input[type=search]"), before = rows();
      box.value = text;
      return bench.time(() => box.dispatchEvent(new Event("input")), () => rows() !== before);
    },
    scroll(share) {
      const box = q(".lt-scroll");
      const to = share * box.scrollHeight, row = Math.round(to / 24);
      return bench.time(() => { box.scrollTop = to; }, () => q(`[data-at='${row + 2}']`));
    },
    threshold(key) {
      const before = q("svg.lt-histogram");
      const event = new KeyboardEvent("keydown", { key, bubbles: true });
      const press = () => q("[role=slider]").dispatchEvent(event);
      return bench.time(press, () => q("svg.lt-histogram") !== before);
    },
    brushed(before) { return bench.time(() => {}, () => rows() !== before, () => bench.up); },
  };
  addEventListener("pointerup", () => { bench.up = performance.now(); }, true);
}"""


def synthetic(rows: int, seed: int = 0) -> tuple[Probes, Samples]:
    """Probes and samples made from those of the recorded run: `rows` of each, the same for the same seed."""
    rng = random.Random(seed)
    run = Run.open(RECORDED, read_only=True)
    known: list[tuple[Sample, Probe]] = []
    for j in run.iterations:
        if run.manifest("probes", j):
            samples = run.table(Samples, "samples", j).by_id()
            known += [(samples[p.sample_id], p) for p in run.table(Probes, "probes", j)]
    out: list[tuple[Sample, Probe]] = []
    for i in range(rows):
        sample, probe = known[i % len(known)]
        *before, last = sample.messages
        last = last.model_copy(update={"content": f"{last.content} ({rng.randrange(10**6)})"})
        copy = sample.model_copy(update={"messages": (*before, last)})
        # Hashing all samples, which takes seconds, is not what is measured.
        copy.__dict__["id"] = f"{i:016x}"
        perplexity, correct = 1 + rng.expovariate(8), rng.random() < 0.6
        state = "failed" if not correct else "borderline" if perplexity > 1.1 else "mastered"
        change = {
            "sample_id": copy.id,
            "perplexity": perplexity,
            "correct": correct,
            "match": correct,
            "state": state,
        }
        out.append((copy, probe.model_copy(update=change | ({"faults": ()} if correct else {}))))
    return Probes(p for _, p in out), Samples(s for s, _ in out)


class Meter:
    """Bytes that the kernel's socket carried, and the kernel's processor time, since the last reading."""

    def __init__(self, page: Any, pid: Path) -> None:
        self.bytes, self.pid, self._cpu = 0, pid, 0.0
        page.on("websocket", lambda socket: self._listen(socket) if "/channels" in socket.url else None)

    def _listen(self, socket: Any) -> None:
        for event in ("framereceived", "framesent"):
            socket.on(event, self._count)

    def _count(self, data: bytes | str) -> None:
        self.bytes += len(data if isinstance(data, bytes) else data.encode())

    def read(self) -> tuple[int, float]:
        """(bytes, milliseconds of processor time)."""
        fields = Path(f"/proc/{self.pid.read_text()}/stat").read_text().rsplit(")", 1)[1].split()
        cpu = 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        out, self.bytes, self._cpu = (self.bytes, cpu - self._cpu), 0, cpu
        return out


class Bench:
    """The view in a browser, measured step by step."""

    def __init__(self, page: Any, meter: Meter, repeat: int) -> None:
        self.page, self.meter, self.repeat = page, meter, repeat

    def measure(self, name: str, *steps: Callable[[], float], note: str = "") -> None:
        """Print what the steps cost, each of which says how many milliseconds it took."""
        self.page.wait_for_timeout(300)
        self.meter.read()
        times = [step() for _ in range(self.repeat) for step in steps]
        self.page.wait_for_timeout(300)
        sent, cpu = self.meter.read()
        n, spread = len(times), f"({min(times):.0f} to {max(times):.0f})"
        print(
            f"{name:22}{statistics.median(times):8.0f}  {spread:18}{sent // n:>12,} B{cpu / n:8.0f}  {note}",
            flush=True,
        )

    def js(self, call: str) -> Callable[[], float]:
        """A step of `SCRIPT`."""
        return lambda: float(self.page.evaluate(f"() => bench.{call}"))

    def brush(self) -> float:
        """Select another range of perplexity with the mouse."""
        from lab import drag

        before = self.page.evaluate("() => bench.q('[role=grid]').getAttribute('aria-rowcount')")
        chart = self.page.locator(".jp-OutputArea .lt-chart")
        drag(self.page, chart, 0.2, 0.3 + 0.1 * (int(before) % 5), height=0.4)
        return float(self.page.evaluate("(before) => bench.brushed(before)", before))


def measure(page: Any, meter: Meter, root: Path, rows: int, repeat: int) -> None:
    """Measure and print the first paint, then each step."""
    page.evaluate(SCRIPT)
    page.evaluate("async () => { await jupyterapp.commands.execute('notebook:run-cell-and-select-next') }")
    _until(page, (root / "pid").exists)
    page.wait_for_timeout(2000)
    meter.read()
    print(
        f"{rows:,} probes; medians of {repeat} (range) in ms, bytes both ways, kernel CPU in ms", flush=True
    )
    paint = page.evaluate("() => bench.paint()")
    sent, cpu = meter.read()
    made = 1000 * float((root / "made").read_text())
    print(
        f"{'first paint':22}{paint:8.0f}  (of it ProbeView(...) in Python: {made:.0f}){sent:>14,} B{cpu:8.0f}"
    )
    bench = Bench(page, meter, repeat)
    bench.measure("sort by perplexity", bench.js("sort('perplexity')"))
    bench.measure("sort by request", bench.js("sort('request')"), note="the first has to rank all texts")
    tool = next(s.label.calls[0].name for s in synthetic(20)[1] if len(s.label.calls) == 1)
    bench.measure("filter by tool", bench.js(f"choose('tool', '{tool}')"), bench.js("choose('tool', '')"))
    waiting = "100 of it: waiting for the end of typing"
    bench.measure("search", bench.js("find('77')"), bench.js("find('')"), note=waiting)
    bench.measure("scroll", *(bench.js(f"scroll({share})") for share in (0.2, 0.9, 0.5)))
    bench.measure("threshold", bench.js("threshold('PageUp')"), bench.js("threshold('PageDown')"))
    bench.measure("brush", bench.brush, note="from letting go")
    if page.faults:
        print("errors on the page:", page.faults)


def main() -> None:
    """Measure the view in a JupyterLab of its own."""
    sys.path.insert(0, str(HERE.parent / "tests" / "browser"))
    from lab import browser, lab_server, new_page, open_notebook, write_notebook

    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--rows", type=int, default=100_000)
    ask.add_argument("--repeat", type=int, default=5)
    args = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder, lab_server(Path(folder)) as url, browser() as chromium:
        root = Path(folder)
        write_notebook(root / "bench.ipynb", *(c.format(here=str(HERE), rows=args.rows) for c in CELLS))
        page = new_page(chromium)
        # Before the page connects: the meter listens to the socket.
        meter = Meter(page, root / "pid")
        open_notebook(page, url, "bench.ipynb", run=False)
        measure(page, meter, root, args.rows, args.repeat)


def _until(page: Any, check: Callable[[], bool]) -> None:
    while not check():
        page.wait_for_timeout(200)


if __name__ == "__main__":
    main()
