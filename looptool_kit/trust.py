"""Settings that run code or send data, and their confirmation.

A run folder can come from anybody, so such a setting is obeyed only once a person has confirmed it. Whoever
gives such a setting in this process (`Run.create`, `run.set`, the options of `looptool`) confirms it by that;
a setting that is only found in a `run.toml` waits for `looptool trust RUN`. A confirmation is for one folder.
It is kept outside of it, in the user's configuration, as hashes of exactly what is run or where data goes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.errors import RunError
from looptool_kit.core.tables import write_json

if TYPE_CHECKING:
    from looptool_kit.config import Settings

SEEDERS = ("world", "evolved", "procedural", "search", "templates", "trees")
"""Values of `seeds.source` that are not files."""
_DATA = (".json", ".jsonl", ".yaml", ".yml")
_UNWATCHED = "and whatever it loads, which is not watched"
_here: dict[Path, set[str]] = {}
"""What was confirmed in this process, by folder. It is all there is where the configuration cannot be
written.
"""


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


def acts(settings: Settings, folder: Path | None = None) -> list[Act]:
    """What these settings run or send.

    Args:
        folder: The run's folder. With it, a file of samples that lies inside or is sent nowhere is left out.
    """
    tools = _tools(settings.synthesis.tools)
    given = [_source(settings.seeds.source), _records(settings.search.file)]
    servers = [(name, getattr(settings, name)) for name in ("generator_llm", "judge_llm", "policy_server")]
    servers += [("jury.others", endpoint) for endpoint in settings.jury.others]
    sent = [_sending(name, endpoint) for name, endpoint in servers if endpoint]
    sent += [act for act in [_cluster(settings.cluster.address)] if act]
    if folder:
        paths = (settings.seeds.source, settings.search.file)
        inside = [Path(path).resolve().is_relative_to(folder.resolve()) for path in paths]
        given = [None if within or not sent else act for act, within in zip(given, inside, strict=True)]
    return [*(act for act in (tools, *given) if act), *sent]


def _source(spec: str) -> Act | None:
    if spec in SEEDERS:
        return None
    path = Path(spec).resolve()
    words = _line(f"takes the file {path} as samples, which are sent where judge_llm and the like say")
    return Act("seeds.source", words, _hash("source", str(path), _content(path)), ("seeds.source",))


def _records(spec: str) -> Act | None:
    if not spec:
        return None
    path = Path(spec).resolve()
    words = _line(f"takes the file {path} as records, which are sent where generator_llm and the like say")
    return Act("search.file", words, _hash("records", str(path), _content(path)), ("search.file",))


def tools_kind(spec: str | Path) -> str:
    """The kind of a source of tools.

    It is `mcp`, `python` (a file that is run), `data` or `other` (any other file).
    All that reads tools asks this, so that what is confirmed is what is done. A `Path` is always a file.
    """
    if isinstance(spec, str) and spec.startswith("mcp:"):
        return "mcp"
    suffix = Path(spec).suffix
    return "python" if suffix == ".py" else "data" if suffix in _DATA else "other"


def _tools(spec: str) -> Act | None:
    name, kind, target = "synthesis.tools", "mcp", spec.removeprefix("mcp:").strip()
    if not spec or (what := tools_kind(spec)) == "data":
        return None
    if what == "mcp":
        if target.startswith(("http://", "https://")):
            return Act(name, _line(f"asks the server {target} for tools"), _hash(kind, target), (name,))
        try:
            words = shlex.split(target)
        except ValueError:
            words = []  # not a command line, which is reported where it would be started
        return Act(
            name,
            _line(f"runs the command `{target}` {_UNWATCHED}"),
            _hash(kind, target, *(_content(Path(w)) for w in words)),
            (name,),
        )
    path = Path(spec).resolve()
    does = f"runs the Python file {path} {_UNWATCHED}" if what == "python" else f"reads tools from {path}"
    return Act(name, _line(does), _hash("file", str(path), _content(path)), (name,))


def _content(path: Path) -> str:
    """The hash of a file's whole content.

    Empty where it is not a file.
    """
    try:
        if not path.is_file():
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):  # ValueError: a name with a NUL
        return ""


def _line(text: str) -> str:
    """The text on one line.

    So no part of it looks like a line of ours.
    """
    return "".join(ascii(c)[1:-1] if c in "\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029" else c for c in text)


def _sending(setting: str, endpoint: Endpoint) -> Act:
    usual = endpoint.key_env == Endpoint.model_fields["key_env"].default
    parts = (
        (setting,)
        if setting == "jury.others"
        else (f"{setting}.base_url", *(() if usual else (f"{setting}.key_env",)))
    )
    words = f"sends samples to {endpoint.base_url}, and what ${endpoint.key_env} holds as the key"
    return Act(setting, words, _hash("send", endpoint.base_url, endpoint.key_env), parts)


def _cluster(address: str) -> Act | None:
    """A cluster of other machines; a Ray of this process alone needs no confirmation."""
    if address in ("", "local"):
        return None
    words = (
        f"sends samples to the Ray cluster {address} and runs there, and loads the Python objects it returns"
    )
    return Act("cluster.address", words, _hash("cluster", address), ("cluster.address",))


def _hash(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()


# --------------------------------------------------------------- confirming


def confirm(folder: Path, given: Iterable[Act]) -> bool:
    """Remember that a person wants these for this folder.

    Returns:
        False where that is for this process alone, because the user's configuration cannot be written.
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
    """Confirm the acts that `overrides` (as for `run.set`) decide in `settings`.

    What else decides such an act must be confirmed already.
    """
    settings_given = [name.replace("__", ".") for name in overrides]
    confirmed_parts = {
        part for a in acts(before) if confirmed(folder, a) for part in (*a.parts, f"{a.setting}.key_env")
    }
    old = {a.mark for a in acts(before)}

    def is_given(part: str) -> bool:
        return any(part == name or part.startswith(f"{name}.") for name in settings_given)

    decided = [
        a
        for a in acts(settings)
        if all(is_given(p) or (p in confirmed_parts and a.mark not in old) for p in a.parts)
    ]
    confirm(folder, decided)


def confirmed(folder: Path, act: Act) -> bool:
    """Whether a person has confirmed this for this folder."""
    folder = folder.resolve()
    return act.mark in _here.get(folder, ()) or act.mark in _marks(folder)


def unconfirmed(folder: Path, settings: Settings) -> list[Act]:
    """What a run's settings would run or send, unconfirmed for its folder."""
    return [a for a in acts(settings, folder) if not confirmed(folder, a)]


def inherit(folder: Path, settings: Settings, source: Path) -> None:
    """Confirm for a copied run what is confirmed for its original."""
    confirm(folder, [a for a in acts(settings) if confirmed(source, a)])


def _marks(folder: Path) -> set[str]:
    try:
        record = json.loads(_file(folder).read_text(encoding="utf-8"))
        if record["folder"] != str(folder):
            return set()
        return {mark for mark in record["confirmed"] if isinstance(mark, str)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _file(folder: Path) -> Path:
    import platformdirs

    return Path(platformdirs.user_config_dir("looptool")) / "trusted" / f"{_hash(str(folder))[:24]}.json"


# ----------------------------------------------------------------- refusing


def require_tools(folder: Path, spec: str) -> None:
    """Raise `RunError` where a run's tools come from unconfirmed code."""
    _require(folder, _tools(spec))


def require_source(folder: Path, settings: Settings, setting: str = "seeds.source") -> None:
    """Raise `RunError` where an outside file would be read and sent unconfirmed.

    Args:
        folder: The run's folder.
        settings: The run's settings.
        setting: The one that names the file: `seeds.source` or `search.file`.
    """
    _require(folder, next((a for a in acts(settings, folder) if a.setting == setting), None))


def require_cluster(folder: Path, settings: Settings) -> None:
    """Raise `RunError` where a run's work would go to an unconfirmed cluster."""
    _require(folder, _cluster(settings.cluster.address))


def require_endpoint(place: Path, endpoint: Endpoint) -> None:
    """Raise `RunError` where data would go to an unconfirmed endpoint.

    Each run.toml on the way up counts, because a run from elsewhere may hold more than one: none may name the
    endpoint unconfirmed, and for one folder at least it must be confirmed. Outside of a run the caller gave
    the endpoint.

    Args:
        place: The run's folder, or a file or folder in it.
    """
    ways = [Path(os.path.abspath(place)), place.resolve()]  # a link may lead out of the run, or into one
    folders = dict.fromkeys(p for way in ways for p in (way, *way.parents) if (p / "run.toml").is_file())
    act = _sending("the endpoint asked", endpoint)
    for folder in folders:
        _require(folder, next((a for a in _acts_in(folder) if a.mark == act.mark), None))
    if folders and not any(confirmed(folder, act) for folder in folders):
        raise RunError(
            f"{act.setting} {act.words}, and you have not confirmed both for {next(iter(folders))}. Give"
            " address and key together (`--set SETTING.base_url=... --set SETTING.key_env=...`, or run.set)."
        )


def _acts_in(folder: Path) -> list[Act]:
    from looptool_kit.config import load_settings

    try:
        return acts(load_settings(folder / "run.toml"))
    except (OSError, ValueError, RecursionError):  # not a run's file: it names nothing and confirms nothing
        return []


def _require(folder: Path, act: Act | None) -> None:
    if act is None or confirmed(folder, act):
        return
    raise RunError(
        f"{folder / 'run.toml'} wants something that you have not confirmed for this folder: {act.setting}"
        f" {act.words}. If you want that, `looptool trust {folder}` shows all such settings and asks; else"
        " change the setting."
    )
