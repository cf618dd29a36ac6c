"""The frame: what imports what, what stays unloaded, and that an installed package is whole."""

from __future__ import annotations

import ast
import graphlib
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import looptool_kit

ROOT = Path(__file__).parent.parent
KIT = ROOT / "looptool_kit"
HEAVY = (
    "torch",
    "transformers",
    "trl",
    "peft",
    "datasets",
    "vllm",
    "unsloth",
    "pandas",
    "scipy",
    "jupyterlab",
    "aiohttp",
    "openai",
    "ray",
)
LEVELS = (
    ("cli",),
    ("doctor", "studies", "audit", "capacity"),
    ("report",),
    ("loop",),
    ("pilot",),
    ("stages",),
    ("formats", "lineage"),
    ("policy",),
    ("tools",),
    ("augment",),
    ("run",),
    ("world",),
    ("checks",),
    ("drawing", "llm", "text"),
    ("cluster", "trust"),
    ("config",),
    ("core",),
)
"""The parts of the package from top to bottom: each imports from lower levels and from itself alone."""
LEVEL = {name: i for i, names in enumerate(LEVELS) for name in names}


def imports(file: Path) -> set[str]:
    """Dotted names under looptool_kit that a file imports anywhere, in functions and for types alike."""
    package = (
        ("looptool_kit", *file.relative_to(KIT).parent.parts)
        if file.is_relative_to(KIT)
        else ("looptool_kit", "widgets")
    )
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = (
                ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])
                if node.level
                else node.module or ""
            )
            found |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("looptool_kit.") for name in found if name.startswith("looptool_kit.")}


SOURCES = sorted(KIT.rglob("*.py"))


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(KIT)))
def test_imports_point_down(file):
    parts = file.relative_to(KIT).with_suffix("").parts
    if parts == ("__init__",):
        return
    assert parts[0] in LEVEL, f"{parts[0]} has no level: say in LEVELS what it may import"
    for name in imports(file):
        head = name.split(".")[0]
        if head not in (parts[0], *dir(looptool_kit)):
            assert head in LEVEL and LEVEL[head] > LEVEL[parts[0]], (
                f"{parts[0]} imports {name}, which is not below it"
            )


@pytest.mark.parametrize(
    "file", [f for f in SOURCES if "stages" in f.parts], ids=lambda f: str(f.relative_to(KIT))
)
def test_stages_never_import_each_other(file):
    own = file.relative_to(KIT).with_suffix("").parts[1]
    others = {n.split(".")[1] for n in imports(file) if n.startswith("stages.")}
    assert others <= {own, "_find"}


def test_no_import_goes_in_a_circle():
    names = {".".join(f.relative_to(KIT).with_suffix("").parts).removesuffix(".__init__"): f for f in SOURCES}

    def modules(found: set[str]) -> set[str]:
        """Those of the names that are modules; a package alone where nothing in it is meant."""
        known = found & names.keys()
        return {
            n
            for n in known
            if names[n].name != "__init__.py" or not any(k.startswith(f"{n}.") for k in known)
        }

    graph = {name: modules(imports(file)) - {name} for name, file in names.items() if name != "__init__"}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_the_levels_and_the_folders_are_the_same():
    there = {
        p.stem if p.suffix == ".py" else p.name
        for p in KIT.iterdir()
        if p.suffix == ".py" or list(p.glob("*.py"))
    }
    assert there - {"__init__"} == set(LEVEL)


@pytest.mark.parametrize(
    "code",
    ["import looptool_kit", "import looptool_kit, looptool_kit.core.records, looptool_kit.report.html"],
)
def test_importing_loads_nothing_heavy(code):
    assert loaded(code) == []


def test_help_loads_nothing_heavy():
    code = (
        "import sys; sys.argv = ['looptool', '--help']\nfrom looptool_kit.cli import app\ntry: app()\nexcept"
        " SystemExit as e: assert not e.code"
    )
    assert loaded(code) == []


def test_the_check_itself_sees_what_is_loaded():
    assert loaded("import scipy") == ["scipy"]


def loaded(code: str) -> list[str]:
    """Which heavy packages are in sys.modules after running `code` in a process of its own."""
    tail = f"\nimport sys; print('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split("LOADED")[1].split()


@pytest.mark.parametrize("file", SOURCES, ids=lambda f: str(f.relative_to(KIT)))
def test_heavy_packages_are_imported_inside_functions_only(file):
    def at_import(node: ast.AST):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            yield child
            yield from at_import(child)

    for node in at_import(ast.parse(file.read_text(encoding="utf-8"))):
        names = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
        assert not {n.split(".")[0] for n in names} & set(HEAVY), f"line {node.lineno}"


def test_every_package_and_data_file_is_installed(tmp_path):
    """Build the package's tree as an installation would and compare it with the sources."""
    command = [sys.executable, "-c", "import setuptools.build_meta"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("setuptools is not installed")
    build = [
        sys.executable,
        "setup.py",
        "-q",
        "build",
        "--build-base",
        str(tmp_path),
        "egg_info",
        "--egg-base",
        str(tmp_path),
    ]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    built = {str(p.relative_to(tmp_path / "lib")) for p in (tmp_path / "lib").rglob("*") if p.is_file()}
    wanted = {
        f"looptool_kit/{p.relative_to(KIT)}"
        for p in KIT.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts
    }
    widgets = [p for p in (ROOT / "widgets").rglob("*") if p.suffix in (".py", ".js", ".css")]
    wanted |= {f"looptool_kit/widgets/{p.relative_to(ROOT / 'widgets')}" for p in widgets}
    assert wanted - built == set()
    assert {
        "looptool_kit/widgets/__init__.py",
        "looptool_kit/report/report.html.jinja",
        "looptool_kit/presets/cpu.toml",
    } <= built


def test_the_core_needs_no_torch_and_the_cpu_constraints_no_cuda():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = re.compile(r"[A-Za-z0-9_-]+")
    core = {name.match(d)[0].lower() for d in project["dependencies"]}
    assert not core & {"torch", "transformers", "trl", "peft", "datasets", "vllm", "accelerate"}
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert not [p for p in pins if p.lower().startswith(("nvidia", "cuda", "triton"))] and "+" not in "".join(
        pins.values()
    )
    from packaging.requirements import Requirement

    for requirement in map(Requirement, project["dependencies"] + project["optional-dependencies"]["train"]):
        pinned = {k.lower().replace("_", "-"): v for k, v in pins.items()}.get(
            requirement.name.lower().replace("_", "-")
        )
        assert pinned and requirement.specifier.contains(pinned), requirement
