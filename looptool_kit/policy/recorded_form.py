"""The form that a model's policy writes, by the model's name or by its run's record.

A run keeps it in `form.json`, so that what its policies wrote can be read where the model is not.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Frozen
from looptool_kit.core.tables import write_json
from looptool_kit.core.terminal import visible
from looptool_kit.core.wire.form import WireForm
from looptool_kit.policy import downloads
from looptool_kit.policy.models import (
    EMBEDDED,
    EMBEDDED_BASE,
    HUB_ID,
    ModelNotFound,
    find_model,
    raw_tokenizer,
    weights_id,
)
from looptool_kit.policy.wire import form_of
from looptool_kit.run.folder import Run

FILE = "form.json"
"""In a run's folder; absent for the embedded models, whose form is the project's."""
_RULES = b"1"
"""Another number where forms are worked out in another way, so that records are made again."""
_DECIDING = ("chat_template.jinja", "chat_template.json", "tokenizer_config.json", "tokenizer.json")
"""The files of a checkpoint that a form is worked out from; of the last one its size counts."""


class Recorded(Frozen):
    """What a run keeps of the form."""

    model: str
    files: str
    """Hash of the files that it was worked out from."""
    form: WireForm


def of_model(model: str) -> WireForm:
    """Return the form of a model on this machine.

    The project's form where the model is not here, or is embedded.
    """
    folder = _folder(model)
    return WireForm() if folder is None else _of_folder(str(folder), _files(folder))


def of_run(run: Run) -> WireForm:
    """Return the form that a run's policies write.

    By its record, where that is about the model as it is. Where it is not, the form is worked out and
    recorded, as far as the run may be written to.
    """
    model = run.settings.model
    if _embedded(model):
        return WireForm()
    folder, kept = _folder(model), read(run.path)
    files = _files(folder) if folder is not None else ""
    if kept is not None and kept.model == model and files in ("", kept.files):
        return kept.form
    if folder is None:
        return WireForm()
    form = _of_folder(str(folder), files)
    with suppress(RunError):
        run.writable()
        write_json(run.path / FILE, Recorded(model=model, files=files, form=form).model_dump(mode="json"))
    return form


def read(folder: Path) -> Recorded | None:
    """Read the record of a run's folder, or return None.

    None where there is none that can be read.
    """
    try:
        return Recorded.model_validate(json.loads((folder / FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return None


def key_of(model: str, form: WireForm) -> str:
    """Return what stands for an untrained policy in keys.

    Its weights, and its form where that decides.
    """
    return weights_id(model) + form.key


def fetch(model: str) -> None:
    """Download a model where it can be had.

    So that its form is known before anything is made with it.
    """
    if not _embedded(model) and _folder(model) is None:
        with suppress(ModelNotFound):
            find_model(model)


def about(model: str) -> tuple[str, str]:
    """Describe the form of a model, and what to do about it.

    Args:
        model: A folder, a hub id, or the folder of a run.
    """
    if (Path(model) / "run.toml").is_file():
        run = Run.open(model, read_only=True)
        recorded = read(run.path)
        if recorded is None and not _embedded(run.settings.model) and _folder(run.settings.model) is None:
            return _unknown(run.settings.model)
        return f"{words_of(of_run(run))} ({visible(run.settings.model)})", ""
    if not _embedded(model) and _folder(model) is None:
        return _unknown(model)
    return f"{words_of(of_model(model))} ({visible(model)})", ""


def _unknown(model: str) -> tuple[str, str]:
    if Path(model).is_dir():
        return f"not known: {visible(model)} holds no model (no config.json)", "Give a model's folder."
    return (
        f"not known: {visible(model)} is not on this machine",
        f"Fetch it (hf download {visible(model)}), or give its folder.",
    )


def words_of(form: WireForm) -> str:
    """A form in a sentence, for a person."""
    if form.unknown:
        return "the project's own; nobody here can read the calls of the model's chat template"
    if form.projects:
        return "the project's own" if form.name != "hermes" else "hermes, by the model's own chat template"
    several = "" if not form.single else ", one call a turn" if form.joint is None else ", calls joined"
    reader = " and read by its response_template" if form.response is not None else ""
    return f"{form.name}, written by the model's own chat template{reader}{several}"


def _embedded(model: str) -> bool:
    return model in (EMBEDDED, EMBEDDED_BASE, HUB_ID)


def _folder(model: str) -> Path | None:
    """Where a model's checkpoint lies on this machine; nothing is fetched."""
    if _embedded(model):
        return None
    folder = Path(model).expanduser()
    if (folder / "config.json").is_file():
        return folder
    with suppress(Exception):  # a name that is none of the hub's, or a hub's cache that cannot be read
        return downloads.from_hub(model, offline=True) if model.count("/") == 1 else None
    return None


def _files(folder: Path) -> str:
    digest = hashlib.sha256(_RULES)
    for name in _DECIDING:
        path = folder / name
        if path.is_file():
            large = name == "tokenizer.json"
            content = str(path.stat().st_size).encode() if large else path.read_bytes()
            digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:16]


@lru_cache(16)
def _of_folder(folder: str, files: str) -> WireForm:
    return form_of(raw_tokenizer(find_model(folder)))
