"""What goes to the hub, against a hub of the test's own: an HTTP server that keeps what it is sent."""

from __future__ import annotations

import base64
import json
import re
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from tiny_models import tiny_tokenizer
from typer.testing import CliRunner

from looptool_kit.cli import app, common, export
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
pytest.importorskip("huggingface_hub", reason="the library huggingface_hub is not installed")


class Hub(ThreadingHTTPServer):
    """The hub's answers to `repo_info`, `create_repo` and `upload_folder`, and what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.repos: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str, str | None]] = []
        self.message = ""
        self.refuses = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def log_message(self, *_: Any) -> None:
        pass

    def answer(self, status: int, value: Any, **headers: str) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **headers,
        }.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        self.wfile.write(body)

    def noted(self) -> None:
        self.server.asked.append((self.command, self.path, self.headers.get("authorization")))

    def do_GET(self) -> None:
        self.noted()
        repo = re.sub(r"^/api/(datasets|models)/", "", self.path)
        if self.server.refuses:
            self.answer(401, {"error": "Invalid username or password."})
        elif repo in self.server.repos:
            self.answer(200, {"id": repo, "private": self.server.repos[repo]["private"], "siblings": []})
        else:
            self.answer(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")

    def do_POST(self) -> None:
        self.noted()
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path == "/api/repos/create":
            made = json.loads(body)
            name = f"{made['organization']}/{made['name']}" if made.get("organization") else made["name"]
            self.server.repos[name] = {"private": made.get("private") or made.get("visibility") == "private"}
            self.answer(200, {"url": f"{self.server.address}/datasets/{name}"})
        elif "/preupload/" in self.path:
            files = [f["path"] for f in json.loads(body)["files"]]
            plain = [{"path": p, "uploadMode": "regular", "shouldIgnore": False} for p in files]
            self.answer(200, {"files": plain})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "header":
                    self.server.message = line["value"]["summary"]
                elif line["key"] == "file":
                    self.server.files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            address = self.server.address + self.path.replace("/api", "").replace("commit/main", "commit/abc")
            self.answer(200, {"commitUrl": address, "commitOid": "abc", "success": True})
        else:
            self.answer(200, {"errors": [], "warnings": []})


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    server = Hub()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", server.address)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.delenv("HTTP_PROXY", raising=False)
    monkeypatch.delenv("http_proxy", raising=False)
    yield server
    server.shutdown()
    server.server_close()


def parts_of(j: int) -> str:
    """What a card and a message say of the recorded run's dataset."""
    made = Run.open(RECORDED, read_only=True).manifest("composition", j - 1)
    assert made
    return f"{made['total']} samples ({made['ES']} error seeds (ES), {made['EE']} children of them (EE)"


def run_export(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["export", str(RECORDED), *map(str, arguments)])
    return done.exit_code, f"{done.output}{done.exception or ''}"


def test_a_dataset_goes_to_a_private_repository_with_its_card(hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "d2"
    code, said = run_export(folder, "--iteration", 2, "--form", "trl", "--push", "me/calls")
    assert code == 0, said
    assert hub.repos == {"me/calls": {"private": True}}
    sent = {p: f.read_bytes() for f in folder.rglob("*") if f.is_file() for p in [str(f.relative_to(folder))]}
    assert hub.files == sent and set(sent) == {"README.md", "data/train-00000-of-00001.parquet"}
    assert {token for _, _, token in hub.asked} == {"Bearer hf_mine"}
    assert hub.message.startswith(f"D2: {parts_of(2)}")
    # All of it is said before: the place, who sees it, each file with its size.
    lines = said.splitlines()
    assert f"to {hub.address}/datasets/me/calls (a new repository, private):" in lines
    assert all(f"  {p}  {len(data):,} bytes" in lines for p, data in sent.items())
    assert lines[-1] == f"sent: {hub.address}/datasets/me/calls/commit/abc"
    # Labels planted wrong are of its rows, so that a strict reader would stop at one.
    rows = pq.read_metadata(folder / "data" / "train-00000-of-00001.parquet").num_rows
    assert f"D2: {rows} samples" in hub.message


def test_nothing_is_sent_without_flag_token_or_consent(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_export(tmp_path / "a")[0] == 0 and hub.asked == []
    monkeypatch.delenv("HF_TOKEN")
    code, said = run_export(tmp_path / "b", "--push", "me/calls")
    assert code and "environment variable HF_TOKEN" in said and not (tmp_path / "b").exists()
    assert hub.asked == []
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    for wrong in ("calls", "a/b/c", "../x"):
        code, said = run_export(tmp_path / "b", "--push", wrong)
        assert code and "write owner/name" in said
    code, said = run_export(tmp_path / "b.jsonl", "--push", "me/calls")
    assert code and "give one in place of" in said and hub.asked == []
    monkeypatch.setattr(export, "on_terminal", lambda: True)
    monkeypatch.setattr(common.typer, "confirm", lambda _: False)
    code, said = run_export(tmp_path / "b", "--push", "me/calls")
    assert code == 0 and "nothing was sent" in said
    assert {method for method, *_ in hub.asked} == {"GET"} and not hub.repos and not hub.files


def test_a_public_repository_is_pushed_to_only_where_that_is_said(hub: Hub, tmp_path: Path) -> None:
    hub.repos["me/calls"] = {"private": False}
    code, said = run_export(tmp_path / "a", "--push", "me/calls")
    assert code and "exists and is public: say --public" in said
    assert not (tmp_path / "a").exists() and not hub.files
    code, said = run_export(tmp_path / "a", "--push", "me/calls", "--public")
    assert code == 0 and "a new commit in the repository that is there, PUBLIC" in said and hub.files
    code, said = run_export(tmp_path / "b", "--push", "me/new", "--public")
    assert code == 0 and "a new repository, PUBLIC" in said and not hub.repos["me/new"]["private"]


def test_what_the_hub_refuses_or_nobody_answers_is_one_sentence(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    hub.refuses = True
    code, said = run_export(tmp_path / "a", "--push", "me/calls")
    assert code and "the hub refuses: Invalid username or password" in said and "HF_TOKEN" in said
    hub.refuses = False
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    code, said = run_export(tmp_path / "a", "--push", "me/calls")
    assert code and "cannot be reached from here (HF_HUB_OFFLINE is set)" in said
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    code, said = run_export(tmp_path / "a", "--push", "me/calls")
    assert code and "the hub cannot be reached from here (" in said and "\n" not in said.strip()
    assert not (tmp_path / "a").exists()


def with_adapter(folder: Path, base: str) -> Path:
    """The recorded run with adapters, whose weights it does not keep."""
    from safetensors.numpy import save_file

    shutil.copytree(RECORDED, folder)
    settings = folder / "run.toml"
    settings.write_text(re.sub(r"(?m)^model = .*$", f'model = "{base}"', settings.read_text()))
    for policy in folder.glob("iterations/*/policy.json"):
        policy.write_text(json.dumps(json.loads(policy.read_text()) | {"base": base}))
    for j, name in ((1, "sft"), (2, "grpo"), (3, "grpo")):
        adapter = folder / f"iterations/{j:02d}/policy/{name}/adapter"
        adapter.mkdir(parents=True)
        config = {"base_model_name_or_path": "/home/me/.cache/base", "r": 16, "lora_alpha": 32}
        (adapter / "adapter_config.json").write_text(
            json.dumps(config | {"target_modules": ["v_proj", "q_proj"]})
        )
        save_file({}, adapter / "adapter_model.safetensors")
        (adapter / "README.md").write_text("base_model: /home/me/.cache/base")
    return folder


def test_an_adapter_goes_with_a_model_card_and_no_place_of_this_machine(hub: Hub, tmp_path: Path) -> None:
    run = with_adapter(tmp_path / "run", "someone/small-model")
    out = tmp_path / "adapter"
    command = ["export", str(run), str(out), "--form", "adapter", "--iteration", "3", "--push", "me/adapter"]
    done = CliRunner().invoke(app, [*command, "--licence", "apache-2.0"])
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert f"policy D3: trained last on {parts_of(3)}" in " ".join(done.output.split())
    assert f"to {hub.address}/me/adapter (a new repository, private):" in done.output
    assert set(hub.files) == {"README.md", "adapter_config.json", "adapter_model.safetensors"}
    assert not any(b"/home/me" in data or str(tmp_path).encode() in data for data in hub.files.values())
    _, head, text = hub.files["README.md"].decode().split("---\n", 2)
    header = yaml.safe_load(head)
    assert header["base_model"] == "someone/small-model" and header["license"] == "apache-2.0"
    assert header["library_name"] == "peft" and header["base_model_relation"] == "adapter"
    for part in ("Data", "Recipe", "Figures", "Licence", "Limits", "Versions"):
        assert f"\n## {part}\n" in text
    assert f"| D3 | {parts_of(3)}" in text and "rank 16, alpha 32, on q_proj, v_proj" in text


def test_an_adapter_of_a_local_base_says_what_it_tells(hub: Hub, tmp_path: Path) -> None:
    base = tmp_path / "checkpoints" / "mine"
    base.mkdir(parents=True)
    (base / "config.json").write_text("{}")
    tiny_tokenizer().save_pretrained(base)
    run = with_adapter(tmp_path / "run", str(base))
    command = ["export", str(run), str(tmp_path / "out"), "--form", "adapter", "--iteration", "1"]
    done = CliRunner().invoke(app, [*command, "--push", "me/adapter"])
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    assert "adapter_config.json names the base model by its place on this machine, /home/me" in done.output
    card = hub.files["README.md"].decode()
    assert "base_model:" not in card and "`mine`, a checkpoint" in card and str(tmp_path) not in card
