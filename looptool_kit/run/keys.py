"""Keys: short hashes of what a result was made from.

Which settings and tables a stage names is in its own file (`stages/`); whether a finished result still stands
is decided in `run/stage.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from looptool_kit.core.tables import Stored, Table


def key(*parts: Any) -> str:
    """Hash what a stage depends on.

    A short hash of settings, tables by content, and text. What is at its default in rows and settings
    adds nothing.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Table | Stored):
            for row in part:
                digest.update(row.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass"))
        elif hasattr(part, "model_dump_json"):
            digest.update(part.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass"))
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


def marked(folder: Path) -> str | None:
    """Return the key of the unfinished work in a folder.

    It is in the folder's file `key`; None where there is none.
    """
    try:
        return (folder / "key").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None


def batch_name(batch: Sequence[int]) -> str:
    """The name of a batch's file, made from its row numbers.

    So it is found again in a plan that cuts the remaining rows in another way.
    """
    return f"{min(batch, default=0):05d}-{key(list(batch))[:8]}"
