"""What all views share: text stays text, errors in Python reach the page, keys stay in the view."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab import open_notebook, save_and_reload, write_notebook

CELL = '''
from looptool_kit.widgets.view import View, script, style
from looptool_kit.widgets.view import _read
import traitlets

class Echo(View):
    _esm = script("sample") + """
    function render({ model, el }) {
      const line = statusLine();
      const out = h("div", { class: "out", tabindex: "0" });
      const root = frame("echo", out, line.node);
      onKeys(root, { d: () => put(model, { pressed: model.get("pressed") + 1 }) });
      el.append(root);
      ask(model, "text").then((a) => out.append(a.text));
      ask(model, "fault").catch((e) => line.say(e.message, true));
      follow(model, ["pressed"], () => (root.dataset.pressed = model.get("pressed")));
    }
    export default { render };
    """
    _css = style()
    pressed = traitlets.Int(0).tag(sync=True)
    def on_text(self): return {"text": "<img src=x onerror=window.bad=1><script>window.bad=1</script>"}
    def on_fault(self): raise ValueError("no such row")
    def static_html(self): return "<p>static</p>"

echo = Echo()
echo
'''


def test_frame(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    write_notebook(root / "frame.ipynb", CELL)
    open_notebook(page, url, "frame.ipynb")
    page.wait_for_selector(".lt-bad")
    assert page.locator(".lt-bad").inner_text() == "no such row"
    assert "<img src=x" in page.locator(".out").inner_text() and not page.evaluate("() => window.bad")
    cells = page.locator(".jp-Cell").count()
    page.locator(".out").focus()
    for key in "ddd":
        page.keyboard.press(key)
    page.wait_for_selector("[data-pressed='3']")
    assert page.locator(".jp-Cell").count() == cells
    save_and_reload(page)
    page.wait_for_selector("[data-pressed='3']", timeout=180_000)
    assert page.faults == [] and page.outside == []
