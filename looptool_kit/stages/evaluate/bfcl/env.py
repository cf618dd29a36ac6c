"""BFCL's own environment, and the process that speaks for it.

The environment holds the package `bfcl-eval` without its 150 pinned dependencies.

Nothing of it is ever imported here: its pins never touch ours, its checker runs a model's calls with `eval`,
and its simulators keep their state in module globals. It runs as a subprocess (`worker.py`), in a scratch
folder, with an empty environment and a limit on time and memory.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Any

VERSION = "2026.3.23"
PACKAGES = (f"bfcl-eval=={VERSION}", "mpmath==1.3.0", "filelock>=3.16")
SECONDS = 60.0
"""How long one request may take; loading a category takes a few seconds."""
MEMORY = 4 << 30
_WORKER = Path(__file__).with_name("worker.py")


class WorkerError(RuntimeError):
    """The official code failed on a request, ended, or took too long.

    The message says which.
    """


def home() -> Path:
    """The environment's folder in the user's cache."""
    from looptool_kit.policy.models import cache_dir

    return cache_dir() / f"bfcl-{VERSION}"


def python() -> Path:
    """The environment's interpreter.

    `FileNotFoundError` says how to make it where it is missing.
    """
    if not (home() / "ready").exists():
        raise FileNotFoundError(
            f"BFCL's environment is not there ({home()}): make it with `looptool evaluate --suite bfcl"
            " --setup`"
        )
    return home() / "bin" / "python"


def setup() -> Path:
    """Make the environment unless it is there; returns its folder.

    It is a venv with `PACKAGES`, without their dependencies, of about 60 MB.

    Raises `RuntimeError` with pip's own words where the package index does not give them.
    """
    from filelock import FileLock

    target = home()
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock"):
        if (target / "ready").exists():
            return target
        shutil.rmtree(target, ignore_errors=True)
        # -P: a `pip.py` or `venv.py` in the working folder is not run.
        pip = [
            str(target / "bin" / "python"),
            "-P",
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            *PACKAGES,
        ]
        for command in ([sys.executable, "-P", "-m", "venv", str(target)], pip):
            process = subprocess.run(command, capture_output=True, text=True, check=False)
            if process.returncode:
                problems = [
                    line for line in process.stderr.splitlines() if "error" in line.lower()
                ] or process.stderr.splitlines()[-1:]
                raise RuntimeError(f"{' '.join(command)} failed: {' '.join(problems)}")
        # The mark `ready` is set only once the official code has answered.
        with Worker(target / "bin" / "python") as worker:
            worker.ask("entries", category="live_relevance")
        (target / "ready").write_text("\n".join(PACKAGES) + "\n", encoding="utf-8")
    return target


class Worker:
    """The process; a context manager.

    A request that fails or overruns raises `WorkerError`; after an overrun the next one starts a new process.
    """

    def __init__(self, interpreter: Path | None = None, seconds: float = SECONDS) -> None:
        self._interpreter, self._seconds = interpreter or python(), seconds
        self._scratch = tempfile.TemporaryDirectory(prefix="looptool-bfcl-")
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        self._scratch.cleanup()

    def ask(self, op: str, **arguments: Any) -> Any:
        """The answer of `worker.Official.<op>(**arguments)`."""
        process = self._process or self._start()
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps({"op": op, **arguments}).encode() + b"\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # said below: no answer comes
        line = self._line(process.stdout)
        if not line.endswith(b"\n"):
            last = self._last_words()
            self._stop()
            raise WorkerError(
                f"BFCL's code gave no answer to {op} within {self._seconds:.0f} s or ended. {last}".strip()
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(f"{op}: {answer['error']}")
        return answer["ok"]

    def _line(self, pipe: IO[bytes]) -> bytes:
        parts: list[bytes] = []
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            while not (parts and parts[-1].endswith(b"\n")):
                if not ready.select(self._seconds):
                    break
                part = os.read(pipe.fileno(), 1 << 20)
                if not part:
                    break
                parts.append(part)
        return b"".join(parts)

    def _start(self) -> subprocess.Popen[bytes]:
        folder = self._scratch.name
        self._log = open(Path(folder) / "log", "wb")  # noqa: SIM115
        self._process = subprocess.Popen(
            [str(self._interpreter), "-I", "-X", "utf8", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=folder,
            env={"BFCL_PROJECT_ROOT": folder, "HOME": folder, "PATH": os.defpath},
            preexec_fn=_limits,
            start_new_session=True,
        )
        return self._process

    def _last_words(self) -> str:
        with contextlib.suppress(OSError):
            return (Path(self._scratch.name) / "log").read_text(errors="replace").strip()[-500:]
        return ""

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
        if self._log is not None:
            self._log.close()


def _limits() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
