"""The doctor: sees what is there, names a remedy for what is not, and never raises."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys

import pytest

from looptool_kit import doctor
from looptool_kit.policy import downloads, models
from looptool_kit.stages.train.card import about


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No source of the model: empty caches, no hub, no package index."""
    monkeypatch.setenv("LOOPTOOL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(doctor, "_cached_model", lambda: "")
    monkeypatch.setattr(doctor, "_hub", lambda: "not reachable")
    monkeypatch.setattr(doctor, "_index", lambda requirement: f"does not offer {requirement}")


def by_name() -> dict[str, doctor.Finding]:
    return {f.name: f for f in doctor.diagnose_machine()}


def test_it_sees_this_machine(monkeypatch, tmp_path):
    monkeypatch.setenv("LOOPTOOL_CACHE", str(tmp_path))
    (tmp_path / downloads.FOLDER).mkdir()
    (tmp_path / f"embedded-{models.ADAPTER_SHA256[:8]}-package").mkdir()
    found = by_name()
    assert found["Python"].value == ".".join(map(str, sys.version_info[:3])) and found["Python"].ok
    assert found["engine transformers"].value == f"transformers {importlib.metadata.version('transformers')}"
    assert found["embedded model"].ok and "in the cache, ready" in found["embedded model"].value
    assert found["embedded-base"].ok and found["embedded-base"].value == "in the cache"
    assert "model hub" not in found and "package index" not in found
    assert found["may write, working folder"].ok and "GB free" in found["disk, cache"].value
    assert all(f.remedy for f in found.values() if f.ok is False)


def test_a_missing_model_is_a_reason_to_fail_and_names_every_source(offline, capsys):
    found = by_name()["embedded model"]
    assert (
        found.ok is False
        and "huggingface.co" in found.remedy
        and downloads.PACKAGE in found.remedy
        and "FOLDER" in found.remedy
    )
    assert doctor.print_doctor() == 1
    assert "Missing: embedded model" in " ".join(capsys.readouterr().out.split())


def test_a_model_that_is_asked_for_and_not_here_is_a_fault(offline, capsys):
    assert doctor.print_doctor("nobody/nothing") == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "form of calls" in said.rpartition("Missing:")[2]


def test_one_source_of_the_model_is_enough(offline, monkeypatch):
    monkeypatch.setattr(doctor, "_index", lambda requirement: True)
    found = by_name()
    assert found["embedded model"].ok and found["package index"].ok and found["model hub"].ok is None


def test_a_base_without_the_merged_model_is_enough(offline, monkeypatch):
    monkeypatch.setattr(doctor, "_cached_model", lambda: "in the hub's cache")
    found = by_name()
    assert found["embedded model"].ok and "merges the adapter in" in found["embedded model"].value
    assert found["embedded-base"].value == "in the hub's cache" and "model hub" not in found


def test_a_merged_model_needs_no_base_and_an_older_one_does_not_count(offline, tmp_path):
    (tmp_path / "cache" / "embedded-00000000-package").mkdir(parents=True)
    assert by_name()["embedded model"].ok is False
    (tmp_path / "cache" / f"embedded-{models.ADAPTER_SHA256[:8]}-hub").mkdir()
    found = by_name()
    assert found["embedded model"].ok and found["embedded-base"].ok is None


@pytest.mark.parametrize(("content", "said"), [(b"other weights", "has been changed"), (None, "is missing")])
def test_a_broken_adapter_is_a_reason_to_fail_with_its_remedy(offline, monkeypatch, tmp_path, content, said):
    monkeypatch.setattr(doctor, "_cached_model", lambda: "in the cache")
    monkeypatch.setattr(models, "ADAPTER", tmp_path)
    if content:
        (tmp_path / "adapter_model.safetensors").write_bytes(content)
    found = by_name()["embedded model"]
    assert found.ok is False and said in found.value
    assert "Install looptool-kit again" in found.remedy and "embedded-base" in found.remedy


def test_missing_packages_have_remedies(offline, monkeypatch):
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    found = by_name()
    assert found["trainer trl"].ok is False and found["trainer trl"].remedy
    assert found["engine vllm"].ok is None and "GPU" in found["engine vllm"].remedy


def test_trl_that_fails_on_cpus_is_named(offline, monkeypatch):
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "1.15.0")
    assert by_name()["trl version"].remedy == "pip install trl==1.14.2"


def test_a_full_disk_and_a_locked_folder_have_remedies(offline, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10, 9, 1))

    def locked(dir=None):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(doctor.tempfile, "TemporaryFile", locked)
    found = by_name()
    assert (
        found["disk, working folder"].ok is False
        and "Free some space" in found["disk, working folder"].remedy
    )
    assert (
        found["may write, cache"].value == "no (Permission denied)"
        and "LOOPTOOL_CACHE" in found["may write, cache"].remedy
    )


def test_a_gpu_that_torch_does_not_see_is_a_fault(offline, monkeypatch):
    real = subprocess.run

    def run(command, **how):
        if command[0] == "nvidia-smi":
            return subprocess.CompletedProcess(command, 0, "NVIDIA L4, 23034 MiB\n", "")
        return real(command, **how)

    monkeypatch.setattr(doctor.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(doctor.subprocess, "run", run)
    found = by_name()
    assert found["GPU"].ok and "L4" in found["GPU"].value
    import torch

    if not torch.cuda.is_available():
        assert found["torch"].ok is False and "does not see the GPU" in found["torch"].remedy


@pytest.mark.parametrize(
    ("card", "fits", "not_there"),
    [
        ("NVIDIA L4, 23034 MiB, 8.9", ["single-gpu-16gb", "single-gpu-0.6b"], ["single-gpu-8b", "float16"]),
        ("Tesla T4, 15360 MiB, 7.5", ["single-gpu-16gb", "float16"], ["single-gpu-0.6b", "single-gpu-8b"]),
        ("NVIDIA H100 80GB HBM3, 81559 MiB, 9.0", ["single-gpu-8b", "single-gpu-4b"], ["float16"]),
    ],
)
def test_a_card_is_told_what_fits_on_it(card, fits, not_there):
    found = {name: (ok, value) for name, ok, value, _ in about(card)}["what fits on it"]
    inside = found[1].partition("; not ")[0]
    assert found[0] and all(name in found[1] for name in fits)
    assert all(name in inside for name in fits if name.startswith("single"))
    assert not any(name in inside for name in not_there)


def test_a_card_on_which_nothing_fits_has_a_remedy():
    _, ok, _, remedy = next(iter(about("Quadro K620, 2048 MiB, 5.0")))
    assert ok is None and "preset cpu" in remedy


def test_a_check_that_breaks_is_a_finding_not_a_traceback(offline, monkeypatch):
    def broken(*_):
        raise RuntimeError("odd machine")

    for name in ("_python", "_processor", "_memory", "_gpu", "_packages", "_model", "_form", "_disk"):
        monkeypatch.setattr(doctor, name, broken)
    found = doctor.diagnose_machine()
    assert len(found) == 8 and all(f.ok is None and "odd machine" in f.value for f in found)
    assert doctor.print_doctor() == 0


def test_the_hub_question_ends_in_time(monkeypatch):
    import time

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(doctor, "HUB_SECONDS", 0.2)
    monkeypatch.setattr(doctor.urllib.request, "urlopen", lambda *a, **k: time.sleep(5))
    start = time.monotonic()
    assert doctor._hub() == "no answer within 0 s"
    assert time.monotonic() - start < 2
