"""The shipped adapter: what its data may hold, its file, and a tiny training from end to end."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from looptool_kit import world  # noqa: E402
from looptool_kit.checks import contamination
from looptool_kit.config import load_preset  # noqa: E402
from looptool_kit.policy import models  # noqa: E402

ROOT = Path(__file__).parents[2]
DATA = json.loads((models.ADAPTER / "data.json").read_text(encoding="utf-8"))


sys.path.insert(0, str(ROOT / "benchmarks"))  # as for a script, whose neighbours can be imported
import embedded  # noqa: E402
import embedded_card  # noqa: E402
import embedded_data  # noqa: E402
import embedded_train  # noqa: E402

# ------------------------------------------------------- the shipped adapter


def test_no_held_out_tool_and_no_domain_of_the_loop_is_in_the_data() -> None:
    held = {t.name for t in world.catalogue("unseen_tools")}
    loop = {d for preset in ("cpu", "cpu-quick") for d in load_preset(preset).seeds.domains}
    wholly_held = {d for d, tools in world.domains().items() if set(tools) <= held}
    assert loop and held and wholly_held
    assert DATA["split"] == "train"
    assert not set(DATA["domains"]) & (loop | wholly_held)
    assert set(DATA["domains"]) <= set(world.domains())
    assert all(weight >= 0 for weight in DATA["kinds"].values()) and set(DATA["kinds"]) == set(world.KINDS)
    made = world.generate(
        60, DATA["seeds"][0], DATA["split"], domains=DATA["domains"], per_list=DATA["per_list"]
    )
    offered = {t.name for s in made for t in s.tools}
    assert not offered & (held | {tool for d in loop for tool in world.domains()[d]})
    assert {s.split for s in made} == {"train"}


def test_the_shipped_file_is_the_pinned_one_small_and_in_bfloat16() -> None:
    file = models.ADAPTER / "adapter_model.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == models.ADAPTER_SHA256 == DATA["adapter_sha256"]
    assert file.stat().st_size <= 6_000_000
    weights = load_file(file)
    assert weights and {w.dtype for w in weights.values()} == {torch.bfloat16}
    assert {min(w.shape) for w in weights.values()} == {DATA["rank"]}
    config = json.loads((models.ADAPTER / "adapter_config.json").read_text(encoding="utf-8"))
    assert (config["r"], config["lora_alpha"]) == (DATA["rank"], DATA["alpha"])
    assert config["base_model_name_or_path"] == models.HUB_ID


# --------------------------------------------------------------- the script


def test_the_script_takes_no_domain_that_is_held_out(capsys: pytest.CaptureFixture[str]) -> None:
    for domain in ("music", "recruiting", "nowhere"):
        with pytest.raises(SystemExit):
            embedded.arguments(["--domains", "banking", domain])
        assert f"{domain}: held out" in capsys.readouterr().err
    assert set(DATA["domains"]) <= set(embedded_data.domains())
    assert embedded.weights_of("parallel=2,decline=0") == {"parallel": 2.0, "decline": 0.0}
    for wrong in ("paralel=2", "parallel", "parallel=-1"):
        with pytest.raises(argparse.ArgumentTypeError):
            embedded.weights_of(wrong)


def test_an_update_of_rank_r_loses_nothing_at_rank_r() -> None:
    torch.manual_seed(0)
    low = torch.randn(9, 3, dtype=torch.float64)
    wide = torch.randn(3, 7, dtype=torch.float64)
    mixed = torch.randn(3, 5, dtype=torch.float64)
    a, b = torch.linalg.pinv(mixed) @ wide, low @ mixed  # five rows, but the product has rank 3
    cut, kept = embedded_train.truncated({"x.lora_A.weight": a, "x.lora_B.weight": b}, 3)
    assert cut["x.lora_A.weight"].shape == (3, 7) and cut["x.lora_B.weight"].shape == (9, 3)
    assert torch.allclose(
        cut["x.lora_B.weight"] @ cut["x.lora_A.weight"], low @ wide
    ) and kept == pytest.approx(1)
    less, share = embedded_train.truncated({"x.lora_A.weight": a, "x.lora_B.weight": b}, 2)
    s = torch.linalg.svdvals(low @ wide)
    assert share == pytest.approx(float((s[:2] ** 2).sum() / (s**2).sum()))
    gap = torch.linalg.matrix_norm(low @ wide - less["x.lora_B.weight"] @ less["x.lora_A.weight"])
    assert float(gap) == pytest.approx(float(s[2]))


def settings(**changes: Any) -> dict[str, Any]:
    base = {
        "domains": embedded_data.domains(),
        "split": "train",
        "seed": "base",
        "samples_each": 60,
        "per_list": 4,
        "kinds": dict.fromkeys(world.KINDS, 1.0),
        "words": 1.0,
        "wide": 0.0,
        "made_up": 0.0,
        "contamination": None,
    }
    return base | changes


def test_the_passes_hold_the_samples_as_training_encodes_them(tiny_checkpoint: Path) -> None:
    from looptool_kit.stages.train.common import encode
    from looptool_kit.stages.train.packing import pack

    spec = settings()
    made = world.generate(60, "base-60", domains=spec["domains"], per_list=4)
    tokenizer = models.load_tokenizer(tiny_checkpoint)
    want = {(tuple(p), tuple(c)) for p, c in (encode(tokenizer, s) for s in made)}
    chunk = embedded_data.prepare(spec, 1, str(tiny_checkpoint), 9_000)
    rows = [r for p in chunk.passes for r in p]
    assert len({(tuple(r.prompt), tuple(r.completion)) for r in rows} & want) == len(rows) > 40
    for rows in chunk.passes:
        size = pack([r.prompt for r in rows], [r.completion for r in rows]).input_ids.shape[1]
        assert size <= 9_000 or len(rows) == 1
    assert embedded_data.prepare(spec, 1, str(tiny_checkpoint), 9_000).passes == chunk.passes


def test_weights_of_kinds_and_words(tiny_checkpoint: Path) -> None:
    kinds = dict.fromkeys(world.KINDS, 0.0) | {"single": 1.0, "parallel": 4.0}
    chunk = embedded_data.prepare(settings(samples_each=200, kinds=kinds), 0, str(tiny_checkpoint), 10**6)
    said = [r.kind for p in chunk.passes for r in p]
    assert set(said) == {"single", "parallel"} and said.count("parallel") > said.count("single")
    made = world.generate(60, "base-0", domains=embedded_data.domains(), per_list=4)
    implicit = sum(map(embedded_data.in_words, made))
    assert 0 < implicit < 60
    only = embedded_data.prepare(settings(words=10**9), 0, str(tiny_checkpoint), 10**6)
    assert sum(map(len, only.passes)) == implicit


def test_what_a_benchmark_has_is_left_out(tiny_checkpoint: Path, tmp_path: Path) -> None:
    spec = settings()
    made = world.generate(60, "base-0", domains=spec["domains"], per_list=4)
    tool, said = made[0].tools[0], next(s for s in made if len(s.request.split()) > 10).request
    (tmp_path / "bench").mkdir()
    row = {"name": tool.name, "description": "", "parameters": {}}
    (tmp_path / "bench" / "a.json").write_text(json.dumps([row, {"question": said}]))
    contamination.write(contamination.build([tmp_path / "bench"]), tmp_path / "list.json")
    spec["contamination"] = str(tmp_path / "list.json")
    chunk = embedded_data.prepare(spec, 0, str(tiny_checkpoint), 10**6)
    left = [s for s in made if tool.name not in {t.name for t in s.tools} and s.request != said]
    assert chunk.bad_tools == [tool.name]
    assert sum(map(len, chunk.passes)) == 60 - chunk.left_out <= len(left) < 60


def command(tiny_checkpoint: Path, out: Path) -> list[str]:
    sizes = "--chunk 20 --per-list 4 --tokens 3000 --tokens-total 22000 --save-steps 2 --workers 0"
    return ["--model", str(tiny_checkpoint), "--out", str(out), *sizes.split(), "--rank", "4", "--keep", "2"]


def test_a_training_that_is_killed_resumes_to_the_same_adapter(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from peft import PeftModel

    from looptool_kit.policy.policy import load_base

    embedded.main(command(tiny_checkpoint, tmp_path / "whole"))
    whole = tmp_path / "whole" / "adapter"

    # Killed in the middle of the fourth step: what counts on disk is the checkpoint of the second.
    real, calls = embedded_train.packed_logps, []

    def dying(*given: Any, **how: Any) -> Any:
        calls.append(given)
        if len(calls) == 6:  # two passes were for the time
            raise KeyboardInterrupt
        return real(*given, **how)

    monkeypatch.setattr(embedded_train, "packed_logps", dying)
    with pytest.raises(KeyboardInterrupt):
        embedded.main(command(tiny_checkpoint, tmp_path / "killed"))
    assert len((tmp_path / "killed" / "history.jsonl").read_text().splitlines()) == 3
    monkeypatch.setattr(embedded_train, "packed_logps", real)
    embedded.main(command(tiny_checkpoint, tmp_path / "killed"))
    file = "adapter_model.safetensors"
    assert (whole / file).read_bytes() == (tmp_path / "killed" / "adapter" / file).read_bytes()
    ours, theirs = (
        json.loads((tmp_path / f / "adapter" / "data.json").read_text()) for f in ("whole", "killed")
    )
    assert {n for n in ours if ours[n] != theirs[n]} <= {"seconds"}
    assert ours.keys() == DATA.keys()
    assert (
        ours["steps"] >= 5 and ours["tokens_seen"] >= 22_000 and ours["tokens_computed"] < ours["tokens_seen"]
    )
    rows = [json.loads(line) for line in (tmp_path / "killed" / "history.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows] == list(range(1, ours["steps"] + 1))

    # The saved adapter, loaded by PEFT, is what was trained to the end at the lower rank, in bfloat16.
    state = torch.load(tmp_path / "whole" / "state.pt", weights_only=False)
    assert state["rank"] == 2 and 0.3 < ours["energy_kept"] < 1
    policy = PeftModel.from_pretrained(load_base(str(tiny_checkpoint))[0], str(whole))
    compared = 0
    for name, module in policy.named_modules():
        if f"{name}.lora_A.weight" in state["adapter"]:
            full = 2 * state["adapter"][f"{name}.lora_B.weight"] @ state["adapter"][f"{name}.lora_A.weight"]
            assert torch.allclose(
                module.get_delta_weight("default"), full, atol=0.02 * float(full.abs().max())
            )
            compared += 1
    assert compared == 21

    # Finished, it does not train again; other settings do not resume it.
    monkeypatch.setattr(embedded_train, "packed_logps", None)
    embedded.main(command(tiny_checkpoint, tmp_path / "whole"))
    with pytest.raises(SystemExit, match="other settings"):
        embedded.main([*command(tiny_checkpoint, tmp_path / "whole"), "--words", "2"])


def test_without_a_gpu_it_says_how_long_it_takes_and_asks(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(SystemExit, match="--yes"):
        embedded.main([*command(tiny_checkpoint, tmp_path), "--tokens-total", str(10**12)])
    assert "hours for 1,000,000,000,000 tokens" in capsys.readouterr().out
    assert not (tmp_path / "state.pt").exists()


class Checks(NamedTuple):
    """Checks with a scripted policy, which is always right as `embedded` and always wrong as its base."""

    card: Path
    asked: list[str]
    """The command line."""
    told: list[tuple[str, int]]
    """(policy, samples) of each part that was scored."""


@pytest.fixture
def checks(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checks:
    card = tmp_path / "card.md"
    card.write_text(
        "before\n<!-- held-out -->\nold\n<!-- end held-out -->\nafter\n<!-- bfcl -->\n<!-- end bfcl -->\n"
    )
    told: list[tuple[str, int]] = []
    real = embedded_card.base_policy
    monkeypatch.setattr(
        embedded_card, "base_policy", lambda name: real(str(tiny_checkpoint)).model_copy(update={"key": name})
    )

    def score(engine: Any, category: Any, asked: Any, policy: str) -> Any:
        samples = [entry.sample for entry in asked]
        told.append((policy, len(samples)))
        kept = [
            {"sample_id": s.id, "suite": "held_out", "split": s.split, "kind": s.kind, "policy": policy}
            for s in samples
        ]
        rows = [embedded_card.Score(**row, correct=policy == "embedded", text="", error="") for row in kept]
        return embedded_card.Scores(rows)

    monkeypatch.setattr(embedded_card, "score", score)
    monkeypatch.setattr(embedded_card, "open_engine", lambda policy, batch: None)
    asked = ["--check", "--samples", "30", "--base-samples", "3", "--out", str(tmp_path), "--card", str(card)]
    return Checks(card, asked, told)


def test_check_keeps_what_is_finished_and_fills_the_card(checks: Checks) -> None:
    embedded.main(checks.asked)
    assert checks.told == [("embedded-base", 3)] * 3 + [("embedded", 25), ("embedded", 5)] * 3
    text = checks.card.read_text()
    assert text.startswith("before\n<!-- held-out -->\nPrinted by `python benchmarks/embedded.py --check")
    assert "| all | 0.0% [0.0, 29.9] | 9 | 100.0% [95.9, 100.0] | 90 |" in text and "old" not in text
    assert "| unseen tools | 0.0% [0.0, 56.1] | 3 | 100.0% [88.6, 100.0] | 30 |" in text
    embedded.main(checks.asked)
    assert len(checks.told) == 9 and checks.card.read_text() == text


def test_check_puts_bfcl_into_the_card(
    checks: Checks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def evaluate(run: Any, policy: Any, suite: str, categories: list[str], n: int) -> Any:
        assert (suite, categories) == ("bfcl", ["single_turn"])
        assert n == (3 if policy.name == "embedded-base" else 4)
        row = {"suite": "bfcl", "split": "parallel", "kind": "non_live", "policy": policy.name}
        rows = [embedded_card.Score(sample_id=str(i), correct=i == 0, **row) for i in range(n)]
        return embedded_card.Scores(rows)

    monkeypatch.setattr(embedded_card, "evaluate", evaluate)
    embedded.main([*checks.asked, "--bfcl", "4"])
    assert "| parallel | 33.3% [6.1, 79.2] | 3 | 25.0% [4.6, 69.9] | 4 |" in checks.card.read_text()
    assert len(list((tmp_path / "check").glob("bfcl-*"))) == 2


def test_check_of_another_adapter_leaves_the_card_alone(
    checks: Checks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    before = checks.card.read_text()
    embedded.main([*checks.asked, "--adapter", str(adapter)])
    assert checks.card.read_text() == before and checks.told[-1] == ("new adapter", 5)
    assert "new adapter" in capsys.readouterr().out
    checks.card.write_text("no marks")
    with pytest.raises(SystemExit, match="held-out"):
        embedded.main(checks.asked)


def test_the_card_has_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text((ROOT / "docs" / "embedded.md").read_text(encoding="utf-8"))
    for mark in ("held-out", "bfcl"):
        embedded_card.fill(page, mark, f"table of {mark} \\1")
    assert page.read_text().count("table of") == 2 and "table of bfcl \\1" in page.read_text()


@pytest.mark.parametrize("upper", [1.0, 0.3])
def test_an_exported_adapter_stands_on_the_model_that_others_have(tmp_path: Path, upper: float) -> None:
    """A policy trained from `embedded` is two adapters deep: what is exported is one, and answers alike."""
    from peft import PeftModel

    from looptool_kit.config import LoraSettings
    from looptool_kit.policy.export import save_adapter
    from looptool_kit.policy.models import HUB_ID, load
    from looptool_kit.policy.policy import Policy
    from looptool_kit.stages.train.common import lora_policy

    trained = lora_policy(
        load("embedded", "float32", device="cpu")[0],
        LoraSettings(rank=4, alpha=12, upper=upper),
        None,
        seed=0,
    )
    with torch.no_grad():
        for name, weight in trained.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.02)
    trained.save_pretrained(tmp_path / "adapter")
    out = save_adapter(
        Policy(name="D1", iteration=1, model="embedded", adapter=str(tmp_path / "adapter")), tmp_path / "out"
    )
    config = json.loads((out / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == HUB_ID and config["r"] == 12
    ids = torch.arange(1000, 1040)[None]
    with torch.no_grad():
        expected = trained.eval()(ids).logits
        found = (
            PeftModel.from_pretrained(load("embedded-base", "float32", device="cpu")[0], str(out))
            .eval()(ids)
            .logits
        )
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=1e-3)
