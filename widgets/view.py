"""What all views share.

Messages between Python and page, scripts, style, and static HTML.

Python holds the data. The page asks for what it shows, and tells what the person did. All that a person sets
(sort, filter, threshold, cursor) is a synced trait, so that a reloaded page finds it unchanged. Text of
samples and models reaches the page as text only. `js/types.d.ts` declares the traits and messages of each
view; `make lint-js` checks the pages with them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import lru_cache
from importlib.resources import files
from typing import Any

import anywidget
import traitlets

from looptool_kit.core.errors import RunError
from looptool_kit.core.grading import told_kind
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Sample
from looptool_kit.run.folder import Run


@lru_cache
def script(*names: str) -> str:
    """The module that JupyterLab loads.

    It is `common.js`, then the named files of `js/`, the last of which ends with `export default { render }`.
    """
    return "\n".join(_read(f"{name}.js") for name in ("common", *names))


@lru_cache
def style() -> str:
    """The style sheet of all views.

    JupyterLab's own variables, so light and dark come with the theme.
    """
    return _read("style.css")


def _read(name: str) -> str:
    return files(__package__).joinpath("js", name).read_text(encoding="utf-8")


class View(anywidget.AnyWidget):
    """A view.

    The page's `ask(model, "page", {...})` is answered by the method `on_page(...)`, or by what its future
    holds in the end.
    """

    kept_at = traitlets.Unicode(help="under which name the page keeps half-written texts").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._received)

    def _received(self, _: Any, content: dict[str, Any], __: Any) -> None:
        values = dict(content)
        request, kind = values.pop("req", None), str(values.pop("type", ""))
        self._reply(request, lambda: getattr(self, f"on_{kind}")(**values))

    def _reply(self, request: Any, work: Callable[[], Any]) -> None:
        """Send what `work` answers, now or when it is there."""
        try:
            answer = work()
        except (RunError, ValueError, traitlets.TraitError) as error:
            answer = {"error": str(error)}  # words for a person
        except Exception as error:  # noqa: BLE001 - the page must hear of it: an error in a callback is shown nowhere else
            answer = {"error": f"{type(error).__name__}: {error}"}
        if isinstance(answer, asyncio.Future):
            answer.add_done_callback(lambda done: self._reply(request, done.result))
        else:
            self.send({"req": request, **(answer or {})})

    def static_html(self) -> str:
        """The view as HTML without scripts, for pages without a kernel."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**(data or {}), "text/html": self.static_html()}, metadata


WORDS = {
    "LoopMap": "the loop",
    "TrainingView": "training",
    "ProbeView": "probes",
    "DisagreementView": "disagreements",
    "ExpansionView": "expansions",
    "CompareView": "before and after",
    "JudgeCheckView": "the judge's check",
    "TryView": "try it",
}
"""Name of a view -> what `looptool view` calls it."""
STAGES = {
    "probes": ("probes", "lt.probe(run)"),
    "verdicts": ("verdicts", "lt.verify(run)"),
    "expansions": ("expansions", "lt.expand(run)"),
}
"""Table -> its name in words, and the call that makes it."""


def having(run: Run, table: str) -> list[int]:
    """The iterations that have a table."""
    return [j for j in run.iterations if (run.folder(j) / f"{table}.parquet").exists()]


def stage_of(run: Run, table: str, iteration: int | None) -> tuple[int, str]:
    """The iteration to show, and what is missing.

    Args:
        run: whose tables.
        table: the one that the view is about: a key of `STAGES`.
        iteration: the one asked for; None: the newest that has the table.

    Returns:
        The iteration, and an empty text; or why there is nothing to show and what to run.
    """
    made = having(run, table)
    words, call = STAGES[table]
    if iteration is None and made:
        return made[-1], ""
    if iteration in made and iteration is not None:
        return iteration, ""
    whose = f"Iteration {iteration}" if iteration else "No iteration"
    also = f" (there are some of iteration {', '.join(map(str, made))})" if made else ""
    verb = "has no" if iteration else "has"
    return (
        iteration or run.iteration,
        f"{whose} of {run.name} {verb} {words} yet{also}. {how_to_make(run, call)}",
    )


def how_to_make(run: Run, call: str) -> str:
    """Say what a person does for a missing table.

    The call in a notebook, a command on the page.
    """
    if not on_page():
        return f"Run the stage first: {call}. Then run this cell again."
    if run.read_only:
        return "What else has the run open may be making them: load this page again later."
    return (
        f"Close this page, and in a terminal: looptool loop {run.path.resolve()}. A page that is loaded after"
        " that shows them."
    )


def called(view: str) -> str:
    """What a person knows a view by.

    Its class in a notebook, its tab on the page.
    """
    return f"“{WORDS[view]}”" if on_page() else view


def on_page() -> bool:
    """Whether `looptool view` shows it, where no cell can be run."""
    # Voila says so to the kernel of each of its pages.
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


def refuse_unsaved(view: object) -> None:
    """Refuse to close a view with drafts in it.

    Raises:
        ValueError: There is such a draft; says what to do with it.
    """
    typed = [*getattr(view, "drafts", {}).values(), *getattr(view, "notes", {}).values()]
    if any(typed):
        raise ValueError(
            f"the view {called(type(view).__name__)} below holds a label, an edit or a note that is not"
            " saved: save or cancel it there first (a note is saved with its verdict; empty its field to drop"
            " it)"
        )


def error_in_words(probe: Probe, sample: Sample) -> str:
    """A prediction's first fault as people read it; empty where right."""
    return in_words(told_kind(probe.error, sample.label.asks))


def in_words(fault: str) -> str:
    """The kind of a fault as people read it."""
    return fault.replace("_", " ")


def read_only_note(run: Run) -> str:
    """Why nothing can be decided on a run, empty where it can."""
    if not run.read_only:
        return ""
    if on_page():
        return "This run is open read-only, for the reason above. End that, and press “try again”."
    return (
        "This run was opened read-only. To decide, close whatever else has it open, and open it with"
        f" Run.open({str(run.path)!r})."
    )
