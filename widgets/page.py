"""The views of a run on one page, for `looptool view`: a person picks one, and it is made then."""

from __future__ import annotations

import html
import time
from collections.abc import Callable
from contextlib import suppress
from inspect import signature
from pathlib import Path
from urllib.parse import parse_qsl

import anywidget
import ipywidgets
import traitlets

from looptool_kit.core.errors import RunError
from looptool_kit.run import lock
from looptool_kit.run.folder import Run
from looptool_kit.widgets.compare import CompareView
from looptool_kit.widgets.disagreement import DisagreementView
from looptool_kit.widgets.expansion import ExpansionView
from looptool_kit.widgets.judge_check import JudgeCheckView
from looptool_kit.widgets.loopmap import LoopMap
from looptool_kit.widgets.probe import ProbeView
from looptool_kit.widgets.selection import SampleTable
from looptool_kit.widgets.training import TrainingView
from looptool_kit.widgets.trial import TryView
from looptool_kit.widgets.view import WORDS, View, having

VIEWS: dict[str, Callable[..., View]] = {
    "LoopMap": LoopMap,
    "TrainingView": TrainingView,
    "ProbeView": ProbeView,
    "DisagreementView": DisagreementView,
    "ExpansionView": ExpansionView,
    "CompareView": CompareView,
    "JudgeCheckView": JudgeCheckView,
    "TryView": TryView,
}
"""Name of a view -> what makes it of a run."""
OF_ITERATIONS = {"DisagreementView": "verdicts", "ExpansionView": "expansions"}
"""Name of a view of one iteration that has no menu of iterations itself -> its table."""
STYLE = """
body[data-voila] .lm-BoxPanel-child { padding: 2px 10px !important; }
body[data-voila] .jp-Cell { padding-top: 0; }
:root:has(body.theme-dark) { color-scheme: dark; }
.lt-page-note { margin: 2px 4px; line-height: 1.45; overflow-wrap: anywhere; }
"""
"""Voila puts a wide margin above the page, which a view on one screen needs for itself.

Its dark theme leaves what the browser draws, as the page's scroll bar, light.
"""
LOCK_SECONDS = 5.0
"""How long a page waits for the run: one that is loaded again comes before the old one has let go."""


class Address(anywidget.AnyWidget):
    """The address of the page: it names the tab that is open."""

    _esm = """
    function render({ model }) {
      const name = () => {
        const address = new URL(location.href)
        // What else a link named was a place in the tab that it led to.
        for (const key of [...address.searchParams.keys()])
          if (!["token", "theme"].includes(key)) address.searchParams.delete(key)
        address.searchParams.set("view", model.get("view"))
        if (model.get("iteration")) address.searchParams.set("iteration", model.get("iteration"))
        history.replaceState(null, "", address)
      }
      model.on("change:view change:iteration", name)
      return () => model.off("change:view change:iteration", name)
    }
    export default { render }
    """
    view = traitlets.Unicode(help="name of the view that is open").tag(sync=True)
    iteration = traitlets.Int(0, help="that was chosen there, 0 for none").tag(sync=True)


def run_page(run: Run, at: str = "") -> ipywidgets.VBox:
    """Show a choice of a run's views, and the chosen one.

    Args:
        run: whose views.
        at: what is shown first, as a view's "copy link" has it; empty: the loop.
    """
    first = dict(parse_qsl(at)).get("view", "")
    choice = ipywidgets.ToggleButtons(
        options=[(words, name) for name, words in WORDS.items()],
        value=first if first in VIEWS else "LoopMap",
        style={"button_width": "auto"},
    )
    head, place, made = ipywidgets.HBox(), ipywidgets.VBox(), dict[str, ipywidgets.DOMWidget]()
    menu = ipywidgets.Dropdown(tooltip="the iteration that is shown", layout={"width": "max-content"})
    asked, address = _asked(at), Address(view=choice.value)

    def offer_iterations(name: str) -> None:
        """Let a person choose among those that have what the view shows."""
        with suppress(ValueError):  # the first time
            menu.unobserve(go_to_iteration, "value")
        has = having(run, OF_ITERATIONS[name]) if name in OF_ITERATIONS else []
        shown = getattr(made[name], "iteration", None)
        menu.layout.display = "" if shown in has and len(has) > 1 else "none"
        if shown in has:
            menu.options, menu.value = [(f"iteration {j}", j) for j in has], shown
        address.iteration = asked.get(name, 0) if name in OF_ITERATIONS else 0
        menu.observe(go_to_iteration, "value")

    def go_to_iteration(*_: object) -> None:
        asked[choice.value] = menu.value
        made.pop(choice.value).close()
        show()

    def show(*_: object) -> None:
        name = address.view = choice.value
        if name not in made or _is_empty(made[name]):
            # A large run takes seconds: until then the page must not show the view that was left.
            place.children = (_note(f"{WORDS[name]}: reading the run …"),)
            if name in made:
                made.pop(name).close()
            try:
                made[name] = _made(run, name, asked.get(name), at if name == first else "")
            except (RunError, ValueError) as error:
                first_close = "looptool loop" in str(error) and not run.read_only
                more = " Close this page before: it keeps the run." if first_close else ""
                made[name] = _note(f"{error}{more}")
        elif isinstance(shown := made[name], LoopMap) and shown.is_outdated:
            # It counts what was decided, which may have been in another tab.
            place.children = (_note(f"{WORDS[name]}: reading the run …"),)
            with suppress(RunError, ValueError):  # its button “refresh” says what is wrong
                shown.refresh()
        offer_iterations(name)
        place.children = (made[name],)

    def tell(words: str) -> None:
        note = _note(words)
        note.value += f"<style>{STYLE}</style>"
        head.children = (note, again) if run.read_only else (note,)

    def try_again(*_: object) -> None:
        nonlocal run
        try:
            run = Run.open(run.path)
        except RunError as error:
            return tell(f"Still: {str(error).partition('; to read it')[0]}.")
        tell(_about(run))
        while made:
            made.popitem()[1].close()
        return show()

    again = ipywidgets.Button(description="try again", tooltip="open this run once more, to decide in it")
    again.on_click(try_again)
    choice.observe(show, "value")
    tell(_about(run))
    show()
    return ipywidgets.VBox([head, ipywidgets.HBox([choice, menu]), place, address])


def open_for_page(path: str | Path, seconds: float = LOCK_SECONDS) -> Run:
    """Open a run to decide in it.

    It is read-only where another process keeps it for longer than `seconds`.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return Run.open(path)
        except RunError:
            if time.monotonic() >= end:
                return Run.open(path, read_only=True)
            time.sleep(0.2)


def _is_empty(shown: ipywidgets.DOMWidget) -> bool:
    """Whether there was nothing to show, which a command in a terminal may have changed since."""
    return isinstance(shown, ipywidgets.HTML) or bool(
        getattr(shown, "missing", "") and not getattr(shown, "unseen", False)
    )


def _asked(at: str) -> dict[str, int]:
    """The iteration that a link names, by the view that it leads to."""
    values = dict(parse_qsl(at))
    iteration = values.get("iteration", "")
    return {values.get("view", ""): int(iteration)} if iteration.isdecimal() else {}


def _made(run: Run, name: str, iteration: int | None, at: str) -> View:
    """The view; raises where there is nothing to show, or a link leads nowhere."""
    if not dict(parse_qsl(at)).keys() - {"view", "iteration", "token", "theme"}:
        at = ""  # the tab alone, as after a reload: the view begins as it always does
    make = VIEWS[name]
    takes = iteration is not None and "iteration" in signature(make).parameters
    view = make(run, iteration=iteration) if takes else make(run)
    return view.go_to(at) if at and isinstance(view, SampleTable) else view


def _about(run: Run) -> str:
    where = f"{run.name}: {run.iteration} datasets, preset {run.settings.preset or '(own)'}."
    if run.read_only:
        number = f" (process {owner})" if (owner := lock.owner(run.path)) else ""
        return (
            f"{where} Another page, notebook or command{number} has this run open, so nothing can be decided"
            " here. Close the page, shut the notebook down or stop the command, and press “try again”."
        )
    return f"{where} What you decide is saved at once, in {run.path / 'decisions.jsonl'}."


def _note(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(f'<p class="lt-page-note">{html.escape(text)}</p>')
