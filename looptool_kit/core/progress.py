"""Progress of long work: a bar on a terminal and in a notebook, else a line at every tenth.

A loop adds how long all its stages still take to every bar that is drawn meanwhile.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any
from weakref import WeakSet

from looptool_kit.core.terminal import duration

_WHOLE: ContextVar[Callable[[], str] | None] = ContextVar("whole", default=None)
_OPEN: WeakSet[Any] = WeakSet()
TENTHS = 10
"""Lines of one bar in a file."""


def bar(total: int | None, desc: str, unit: str, initial: int = 0) -> Any:
    """A progress bar with tqdm's methods `update`, `set_postfix`, `set_postfix_str` and `close`.

    Args:
        total: Steps in all; None where that is not known, and then a file gets no line.
        initial: Steps that were done before.
    """
    made = _kind()(total=total, desc=desc, unit=unit, initial=initial, disable=False)
    # Not the clock of the wall, which tqdm reads: that jumps where a machine has slept or is set right.
    made._time = time.monotonic
    made.start_t = made.last_print_t = made._time()
    _OPEN.add(made)
    return made


@contextlib.contextmanager
def whole(words: Callable[[], str]) -> Iterator[None]:
    """Let every bar within also say `words()`.

    What is left of all the work that it is part of.
    """
    before = _WHOLE.set(words)
    try:
        yield
    finally:
        _WHOLE.reset(before)


def close_bars() -> None:
    """Close all bars that are still drawn.

    Before the last words of a program that was stopped.
    """
    for open_bar in list(_OPEN):
        open_bar.close()
        _OPEN.discard(open_bar)


def _kind() -> Any:
    """The class of bars for where the output goes."""
    if _in_notebook():
        from tqdm.auto import tqdm as in_notebook

        return in_notebook
    return _bar() if sys.stderr.isatty() else _lines()


def _in_notebook() -> bool:
    """Whether a kernel runs this code; that its package was imported says nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and "IPKernelApp" in shell.config


@functools.cache  # each class of tqdm's has a thread of its own that never ends
def _bar() -> Any:
    from tqdm.std import tqdm

    class Bar(tqdm):  # type: ignore[misc]
        """A bar whose last part is about the whole work."""

        @property
        def format_dict(self) -> dict[str, Any]:
            """tqdm's facts, with those of the whole behind the stage's own."""
            facts = dict(super().format_dict)
            words = _WHOLE.get()
            if words and (text := words()):
                facts["postfix"] = ", ".join(filter(None, [facts.get("postfix"), text]))
            return facts

    return Bar


@functools.cache
def _lines() -> Any:
    from tqdm.std import tqdm

    class Lines(tqdm):  # type: ignore[misc]
        """A line at every tenth of the work, for a file or a pipe."""

        monitor_interval = 0  # tqdm's thread redraws bars that stand still: here is nothing to redraw

        def __init__(self, **facts: Any) -> None:
            self._closed = False
            self._said = TENTHS * facts["initial"] // max(1, facts["total"] or 0)
            super().__init__(**facts, mininterval=0, miniters=1)

        def display(self, msg: str | None = None, pos: int | None = None) -> bool:  # noqa: ARG002 - tqdm's form
            """Print where another tenth is done."""
            if not self.total or (tenth := TENTHS * self.n // self.total) <= self._said:
                return True
            self._said = tenth
            facts = self.format_dict
            rate = (self.n - self.initial) / facts["elapsed"] if facts["elapsed"] else 0
            left = duration((self.total - self.n) / rate) if rate and self.n + rate < self.total else ""
            about = [
                f"{self.n} of {self.total} {self.unit}{'s' * (self.total != 1)}",
                f"{duration(facts['elapsed'])} so far",
                f"{left} left" if left else "",
                self.postfix or "",
                (words() if (words := _WHOLE.get()) else ""),
            ]
            head = f"{self.desc.rstrip(': ')}: {tenth * 100 // TENTHS}%"
            self.fp.write(f"{', '.join([head, *filter(None, about)])}\n")
            self.fp.flush()
            return True

        def clear(self, nolock: bool = False) -> None:  # noqa: ARG002 - tqdm's form
            """Nothing is drawn that could be cleared."""

        def close(self) -> None:
            """Print what is due, without the empty line that ends a drawn bar."""
            if not self._closed:
                self.display()
                self._closed = True
                self._decr_instances(self)

    return Lines
