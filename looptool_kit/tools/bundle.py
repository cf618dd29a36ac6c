"""One document from an API description that is spread over several files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

KEY = "x-files"
"""Where the bundled document keeps the other files, by their path from the first one's folder."""
MAX_FILES = 500
"""Of one document: references lead from file to file, and a folder may hold far more than a person meant."""


def bundled(path: Path, document: Any, load: Callable[[Path], Any]) -> Any:
    """Return the document with the files that it references.

    Under `x-files`; references point there.

    Args:
        path: The document's own file. Only files in its folder and below are read.
        document: What the file holds.
        load: Reads one file.

    Raises:
        ValueError: A reference names a URL, a file outside of the folder or one that does not exist.
    """
    folder = path.parent.resolve()
    files: dict[str, Any] = {}
    waiting: list[str] = []

    def pointer(ref: str, here: Path) -> str:
        name, _, inside = ref.partition("#")
        if not name:
            target = here
        elif re.match(r"[a-z][a-z0-9+.-]*:", name, re.IGNORECASE):
            raise ValueError(
                f"{path}: $ref {ref!r} points to the web; bundle it into one file first, as with `npx"
                f" @redocly/cli bundle {path.name}`"
            )
        else:
            target = (here.parent / name).resolve()
        if target == path.resolve():
            return f"#{inside}"
        if not target.is_relative_to(folder):
            raise ValueError(f"{path}: $ref {ref!r} points outside of the file's folder")
        key = target.relative_to(folder).as_posix()
        if key not in files:
            if len(files) >= MAX_FILES:
                raise ValueError(f"{path}: it refers to more than {MAX_FILES} files")
            if not target.is_file():
                raise ValueError(f"{path}: $ref {ref!r} points to {target.name}, which does not exist")
            files[key] = None
            waiting.append(key)
        return f"#/{KEY}/{key.replace('~', '~0').replace('/', '~1').replace('%', '%25')}{inside}"

    def rewritten(node: Any, here: Path) -> Any:
        if isinstance(node, Mapping):
            return {
                k: pointer(v, here) if k == "$ref" and isinstance(v, str) else rewritten(v, here)
                for k, v in node.items()
            }
        return [rewritten(v, here) for v in node] if isinstance(node, list) else node

    try:
        whole = rewritten(document, path.resolve())
        while waiting:
            key = waiting.pop()
            files[key] = rewritten(load(folder / key), folder / key)
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply") from None
    return whole | {KEY: files} if files else whole
