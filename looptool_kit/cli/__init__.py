"""The `looptool` command: the loop and its stages on a run folder.

    loop.py      init, loop, plan, convert, report, clean, lab
    stages.py    seed, train, probe, frontier, verify, expand, compose, evaluate
    look.py      runs, settings
    view.py      view
    compare.py   compare, ablate
    simulate.py  simulate
    checks.py    trust, judge-check, doctor
    data.py      import, contamination
    export.py    export
    audit.py     audit
    serve.py     serve

`common.py` has the app and the options that commands share; the other files have no command.
"""

from __future__ import annotations

import inspect
import os
import signal
import sys

from looptool_kit.cli.common import app
from looptool_kit.core.errors import Stopped
from looptool_kit.core.progress import close_bars
from looptool_kit.core.terminal import say

# The order of the commands in the help.
# isort: off
from looptool_kit.cli import loop  # noqa: F401
from looptool_kit.cli import look  # noqa: F401
from looptool_kit.cli import view  # noqa: F401
from looptool_kit.cli import compare  # noqa: F401
from looptool_kit.cli import simulate  # noqa: F401
from looptool_kit.cli import stages  # noqa: F401
from looptool_kit.cli import export  # noqa: F401
from looptool_kit.cli import data  # noqa: F401
from looptool_kit.cli import audit  # noqa: F401
from looptool_kit.cli import checks  # noqa: F401
from looptool_kit.cli import serve  # noqa: F401
# isort: on

# The width of a terminal, not that of the source, breaks the lines of a paragraph.
for _app in (app, *(group.typer_instance for group in app.registered_groups)):
    for _command in _app.registered_commands if _app else ():
        _text = inspect.getdoc(_command.callback) or ""
        _command.help = "\n\n".join(" ".join(part.split()) for part in _text.split("\n\n"))


def main() -> None:
    """Run the command.

    An error that a user can fix is one paragraph, not a traceback. With LOOPTOOL_DEBUG=1 the traceback is
    shown too.
    """
    from looptool_kit.core.errors import RunError, of_the_system
    from looptool_kit.policy.models import ModelNotFound

    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except (RunError, ModelNotFound, ValueError, ImportError, OSError) as error:
        if os.environ.get("LOOPTOOL_DEBUG"):
            raise
        words = of_the_system(error) if isinstance(error, OSError) else str(error)
        say(f"looptool: {words}", fg="red", err=True)
        sys.exit(1)
    except MemoryError:
        if os.environ.get("LOOPTOOL_DEBUG"):
            raise
        words = "this machine's memory does not do for that: give less at once, or take a larger one."
        say(f"looptool: {words}", fg="red", err=True)
        sys.exit(1)
    except Stopped:
        close_bars()
        say(
            "\nlooptool: stopped. Nothing finished is lost; the same command resumes where it stopped.",
            fg="yellow",
            err=True,
        )
        sys.exit(130)


def _stop(*_: object) -> None:
    raise Stopped
