"""The command line in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys


def looptool(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "looptool_kit.cli", *words]
    here = {**os.environ, "COLUMNS": "160", **env}
    return subprocess.run(command, capture_output=True, text=True, env=here)
