"""Copies of the notebooks for a person to work in, so that the repository stays as it was."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from pydantic import TypeAdapter

from looptool_kit.core.tables import write_text

RECORD = ".copied.json"
"""In the copies' folder: name -> hash of what was copied, to tell a copy from one that was worked in."""


def own_copies(originals: Path, into: Path) -> list[str]:
    """Copy notebooks and the examples they read, where missing or unchanged.

    Args:
        originals: folder of the notebooks; examples are the files of its folders.
        into: folder of the copies; nothing else is put there.

    Returns:
        Names of copies that a person has changed, and whose original is another one by now. They stay.
    """
    into.mkdir(parents=True, exist_ok=True)
    record = into / RECORD
    try:
        copied: dict[str, str] = TypeAdapter(dict[str, str]).validate_json(record.read_bytes())
    except (OSError, ValueError):
        copied = {}  # each copy then counts as one that a person has worked in
    behind = []
    examples = [p for p in originals.glob("[a-z]*/*") if p.is_file()]
    for original in sorted([*originals.glob("*.ipynb"), *examples]):
        name, fresh = original.relative_to(originals).as_posix(), _hash(original)
        copy = into / name
        if copy.exists() and copied.get(name) != _hash(copy):
            if copied.get(name) != fresh:
                behind.append(name)
        elif not copy.exists() or copied[name] != fresh:
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(original, copy)
            copied[name] = fresh
    write_text(record, json.dumps(copied, indent=1) + "\n")
    return behind


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
