"""Copies of the notebooks for a person to work in, so that the repository stays as it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from looptool_kit.core.tables import write_text

RECORD = ".copied.json"
"""In the copies' folder: name -> hash of what was copied, to tell a copy from one that was worked in."""


def own_copies(originals: Path, into: Path) -> list[str]:
    """Copy the notebooks that are missing or unchanged.

    Args:
        originals: folder of the notebooks.
        into: folder of the copies; nothing else is put there.

    Returns:
        Names of copies that a person has changed, and whose original is another one by now. They stay.
    """
    into.mkdir(parents=True, exist_ok=True)
    record = into / RECORD
    copied: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    behind = []
    for original in sorted(originals.glob("*.ipynb")):
        copy, name, fresh = into / original.name, original.name, _hash(original)
        if copy.exists() and copied.get(name) != _hash(copy):
            if copied.get(name) != fresh:
                behind.append(name)
        elif not copy.exists() or copied[name] != fresh:
            shutil.copyfile(original, copy)
            copied[name] = fresh
    write_text(record, json.dumps(copied, indent=1) + "\n")
    return behind


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
