"""Settings that run a command or a file or send data: obeyed only after a person has confirmed them for a run folder.

A run folder can come from anybody. Whoever gives such a setting in this very process (`Run.create`, `run.set`, the
options of `looptool`) confirms it by that; a setting that is only found in a `run.toml` waits for `looptool trust RUN`.
What is confirmed is kept outside of the folder, in the user's configuration, as hashes of exactly what is run or where
data goes.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from looptool_kit.endpoint import Endpoint
from looptool_kit.errors import RunError
from looptool_kit.tables import write_json

if TYPE_CHECKING:
    from looptool_kit.config import Settings

_FILE = 1 << 20
"""Bytes of the largest file of a command line whose content is confirmed too: scripts, not interpreters."""
_here: dict[Path, set[str]] = {}
"""What was confirmed in this process, by folder: all there is where the configuration cannot be written."""


class Act(NamedTuple):
    """Something that a setting makes the package do."""

    setting: str
    """Its name, e.g. `synthesis.tools`."""
    words: str
    """What it does, for a person."""
    mark: str
    """A hash of exactly what is run, or of where data and which key go."""
    parts: tuple[str, ...]
    """The settings that decide it, by their dotted names."""


def acts(settings: Settings) -> list[Act]:
    """What these settings run or send."""
    tools = _tools(settings.synthesis.tools)
    named = [(name, getattr(settings, name)) for name in ("generator_llm", "judge_llm", "policy_server")]
    named += [("jury.others", endpoint) for endpoint in settings.jury.others]
    return [*([tools] if tools else []), *(_sending(name, endpoint) for name, endpoint in named if endpoint)]


def _tools(spec: str) -> Act | None:
    name, kind, target = "synthesis.tools", "mcp", spec.removeprefix("mcp:").strip()
    if spec.startswith("mcp:"):
        if target.startswith(("http://", "https://")):
            return Act(name, f"asks the server {target} for tools", _hash(kind, target), (name,))
        try:
            words = shlex.split(target)
        except ValueError:
            words = []  # no command line, which is said where it would be started
        return Act(
            name,
            f"runs the command `{target}`",
            _hash(kind, target, *(_content(Path(w)) for w in words)),
            (name,),
        )
    if spec.endswith(".py"):
        path = Path(spec).resolve()
        return Act(name, f"runs the Python file {path}", _hash("file", str(path), _content(path)), (name,))
    return None


def _content(path: Path) -> str:
    """The hash of a file's content; empty where it is none, or too large to be a script."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and path.stat().st_size <= _FILE else ""
    except OSError:
        return ""


def _sending(setting: str, endpoint: Endpoint) -> Act:
    usual = endpoint.key_env == Endpoint.model_fields["key_env"].default
    parts = (setting,) if setting == "jury.others" else (f"{setting}.base_url", *(() if usual else (f"{setting}.key_env",)))
    words = f"sends samples to {endpoint.base_url}, and what ${endpoint.key_env} holds as the key"
    return Act(setting, words, _hash("send", endpoint.base_url, endpoint.key_env), parts)


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


# --------------------------------------------------------------- confirming


def confirm(folder: Path, given: Iterable[Act]) -> bool:
    """Remember that a person wants these for this folder.

    False where that holds for this process alone, because the user's configuration cannot be written.
    """
    folder, given = folder.resolve(), list(given)
    if not given:
        return True
    marks = _here.setdefault(folder, set())
    marks |= _marks(folder) | {a.mark for a in given}
    try:
        write_json(_file(folder), {"folder": str(folder), "confirmed": sorted(marks)})
    except OSError:
        return False
    return True


def confirm_given(folder: Path, settings: Settings, overrides: Mapping[str, Any], before: Settings) -> None:
    """Confirm what `overrides` (as for `run.set`) say of `settings`; the rest of an act must be confirmed already."""
    given = [name.replace("__", ".") for name in overrides]
    known = {part for a in acts(before) if confirmed(folder, a) for part in (*a.parts, f"{a.setting}.key_env")}
    old = {a.mark for a in acts(before)}

    def said(part: str) -> bool:
        return any(part == name or part.startswith(f"{name}.") for name in given)

    confirm(
        folder,
        [a for a in acts(settings) if all(said(p) or (p in known and a.mark not in old) for p in a.parts)],
    )


def confirmed(folder: Path, act: Act) -> bool:
    """Whether a person has confirmed this for this folder."""
    folder = folder.resolve()
    return act.mark in _here.get(folder, ()) or act.mark in _marks(folder)


def unconfirmed(folder: Path, settings: Settings) -> list[Act]:
    """What the settings of a run would run or send, and nobody has confirmed for its folder."""
    return [a for a in acts(settings) if not confirmed(folder, a)]


def inherit(folder: Path, settings: Settings, source: Path) -> None:
    """Confirm for a run that was copied from another what is confirmed there."""
    confirm(folder, [a for a in acts(settings) if confirmed(source, a)])


def _marks(folder: Path) -> set[str]:
    try:
        found = json.loads(_file(folder).read_text(encoding="utf-8"))
        return {m for m in found["confirmed"] if isinstance(m, str)} if found["folder"] == str(folder) else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _file(folder: Path) -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("looptool")) / "trusted" / f"{_hash(str(folder))[:24]}.json"


# ----------------------------------------------------------------- refusing


def require_tools(folder: Path, spec: str) -> None:
    """Raise `RunError` where a run's tools come from something that runs, and nobody has confirmed."""
    _require(folder, _tools(spec))


def require_endpoint(place: Path, endpoint: Endpoint) -> None:
    """Raise `RunError` where data would go to an endpoint that a run.toml names and nobody has confirmed.

    `place`: a file or folder in the run. An endpoint that its run.toml does not name was given in this process.
    """
    folder = next((p for p in (place, *place.absolute().parents) if (p / "run.toml").exists()), None)
    if folder:
        from looptool_kit.config import load_settings

        mark = _sending("", endpoint).mark
        _require(folder, next((a for a in acts(load_settings(folder / "run.toml")) if a.mark == mark), None))


def _require(folder: Path, act: Act | None) -> None:
    if act is None or confirmed(folder, act):
        return
    raise RunError(
        f"{folder / 'run.toml'} wants something that you have not confirmed for this folder: {act.setting} {act.words}. "
        f"If you want that, `looptool trust {folder}` shows all such settings and asks; else change the setting."
    )
