"""The form `verl`: its columns, its own source over what is written, and the reward that it calls."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

import looptool_kit as lt
from looptool_kit import formats, world
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import render_answer, render_prompt
from looptool_kit.formats import to_row
from looptool_kit.formats.verl import plain_turns
from looptool_kit.stages.train.reward import compute_score

VERL = "0.9.1"
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{{"
    " '<|im_start|>assistant\n' }}"
)


@pytest.fixture(scope="module")
def rows() -> Samples:
    return world.generate(60, seed=21)


def test_verl_files_have_verls_columns_and_train_on_our_prompt(tmp_path: Path, rows: Samples) -> None:
    """verl 0.9.1: RLHFDataset reads `prompt` and `extra_info`, the reward manager `data_source` and
    `reward_model.ground_truth`.
    """
    import pyarrow.parquet as pq

    env = ImmutableSandboxedEnvironment()
    path = formats.write(rows, tmp_path / "train.parquet", "verl")
    for at, (row, sample) in enumerate(zip(pq.read_table(path).to_pylist(), rows, strict=True)):
        assert set(row) == {"data_source", "prompt", "ability", "reward_model", "extra_info"}
        assert isinstance(row["data_source"], str) and isinstance(row["reward_model"]["ground_truth"], str)
        assert row["extra_info"]["index"] == at and all(set(m) == {"role", "content"} for m in row["prompt"])
        assert env.from_string(CHATML).render(messages=row["prompt"]) == render_prompt(
            sample.tools, sample.messages
        )


@pytest.fixture(scope="module")
def verl() -> zipfile.ZipFile:
    """verl's wheel, downloaded once without its dependencies (2 MB) and never imported: that takes Ray and a
    GPU.
    """
    from platformdirs import user_cache_dir

    folder = Path(user_cache_dir("looptool_kit")) / "wheels"
    if not list(folder.glob(f"verl-{VERL}-*.whl")):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--dest",
            str(folder),
            f"verl=={VERL}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if done.returncode:
            pytest.skip(
                f"the package index does not give verl {VERL}: {done.stderr.strip().splitlines()[-1][:150]}"
            )
    return zipfile.ZipFile(next(folder.glob(f"verl-{VERL}-*.whl")))


def test_verls_source_reads_what_we_write(verl: zipfile.ZipFile, rows: Samples) -> None:
    def tree(file: str) -> ast.Module:
        return ast.parse(verl.read(file).decode("utf-8"))

    def looked_up(where: ast.AST, name: str) -> set[Any]:
        """Keys that the source takes out of a variable, as `name["key"]` or `name.get("key", ...)`."""
        found = set()
        for node in ast.walk(where):
            if (
                isinstance(node, ast.Subscript)
                and ast.unparse(node.value).endswith(name)
                and isinstance(node.slice, ast.Constant)
            ):
                found.add(node.slice.value)
            elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(f"{name}.get"):
                found.add(ast.literal_eval(node.args[0]))
        return found

    row = to_row(rows[0], "verl")
    data, manager = (
        tree("verl/utils/dataset/rl_dataset.py"),
        tree("verl/experimental/reward_loop/reward_manager/naive.py"),
    )
    assert "config.get('prompt_key', 'prompt')" in ast.unparse(data)
    assert {"extra_info", "data_source"} <= looked_up(data, "row_dict") and "index" in looked_up(
        data, "row_dict.get('extra_info', {})"
    )
    assert {"data_source", "reward_model", "extra_info"} <= looked_up(manager, "non_tensor_batch") & set(row)
    assert looked_up(manager, "['reward_model']") == {"ground_truth"} <= set(row["reward_model"])
    calls = [
        n
        for n in ast.walk(manager)
        if isinstance(n, ast.Call) and ast.unparse(n.func) == "self.compute_score"
    ]
    for call in calls:
        inspect.signature(compute_score).bind(**{k.arg: None for k in call.keywords if k.arg})
    assert calls and "score" in looked_up(manager, "result")


def test_every_setting_that_the_page_on_verl_names_is_one_of_verls(verl: zipfile.ZipFile) -> None:
    import yaml

    known = yaml.safe_load(verl.read("verl/trainer/config/_generated_ppo_trainer.yaml"))
    page = (Path(lt.__file__).parent.parent / "docs" / "verl.md").read_text()
    block = page.partition("verl.trainer.main_ppo")[2].partition("```")[0]
    named = re.findall(r"([\w.]+)=", block)
    assert len(named) > 15
    for name in [*named, "actor_rollout_ref.model.custom_chat_template"]:
        table = known
        for part in name.split("."):
            assert isinstance(table, dict) and part in table, f"verl {VERL} has no setting {name}"
            table = table[part]
    assert known["reward"]["custom_reward_function"]["name"] == compute_score.__name__


def test_plain_turns_of_a_context_without_system_message(rows: Samples) -> None:
    bare = rows[0].model_copy(update={"messages": rows[0].messages[1:]})
    assert plain_turns(bare)[0]["role"] == "system" and "<tools>" in plain_turns(bare)[0]["content"]


def test_the_reward_is_the_one_matchers(rows: Samples) -> None:
    assert {"data_source", "solution_str", "ground_truth", "extra_info"} <= set(
        inspect.signature(compute_score).parameters
    )
    for sample in rows:
        row = to_row(sample, "verl")

        def score(text: str, row: dict[str, Any] = row) -> dict[str, float]:
            return compute_score(
                data_source=row["data_source"],
                solution_str=text,
                ground_truth=row["reward_model"]["ground_truth"],
                extra_info=row["extra_info"],
                reward_router_address=None,
                reward_model_tokenizer=None,
            )

        assert score(render_answer(sample.label)) == {"score": 1.0, "acc": 1.0, "parsed": 1.0}
        assert score('<tool_call>{"name": "x"')["parsed"] == 0.0
        assert score('<tool_call>{"name": "other", "arguments": {}}</tool_call>')["score"] == 0.0
