"""Imports point one way down: flows > stages > adapters > method > ports > values."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "leafe").rglob("*.py"), *(ROOT / "flows").rglob("*.py")])

# The lowest layer first. Whatever is not named here is an adapter.
VALUES = {"task", "episode", "tree", "example", "pass_at_k", "params", "seeds", "errors", "layout"}
VALUES |= {"chain", "text", "yaml_file", "method", "planning", "sections", "training_sections"}
PORTS = {"env", "engine"}
METHOD = {"rollout", "reflection", "branching", "filtering", "evaluation", "probe", "lessons"}
METHOD |= {
    "chat",
    "codec",
    "frame",
    "fidelity",
    "early_experience",
    "exploration",
    "advantage",
    "sharpening",
    "comparison",
    "windowed",
    "worlds",
}
TOP = {"stages", "cli"}

# Heavy libraries and the only places that may import them, deferred or not.
OWNERS = {
    "mlflow": ("leafe.tracking",),
    "prefect": ("flows",),
    "dvc": ("flows",),
    "torch": ("leafe.engines", "leafe.training", "leafe.stages"),
    "transformers": ("leafe.engines", "leafe.training", "leafe.stages"),
    "peft": ("leafe.training",),
}


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports(path: Path, *, eager: bool = False) -> set[str]:
    """Modules that a file imports; `eager` leaves out those inside functions and type checks."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if eager and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            return
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            if node.module in ("leafe", "flows"):
                found.update(f"{node.module}.{alias.name}" for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(path.read_text()))
    return found


def layer(module: str) -> int:
    first, _, rest = module.partition(".")
    if first == "flows":
        return 5
    name = rest.partition(".")[0]
    for height, names in enumerate((VALUES, PORTS, METHOD)):
        if name in names:
            return height
    return 4 if name in TOP else 3


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_no_import_points_up(path: Path) -> None:
    own = layer(module_of(path))
    ours = {m for m in imports(path) if m.startswith(("leafe.", "flows"))}
    up = {m for m in ours if layer(m) > own}
    # The command line starts the flow: the one door from below.
    if module_of(path) == "leafe.cli":
        up = {m for m in up if not m.startswith("flows")}
    assert not up, f"{module_of(path)} imports {sorted(up)} from a layer above"


def test_the_walk_sees_an_import_that_points_up(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("def f():\n    from leafe import store\n    import leafe.stages.stage\n")
    seen = imports(file)
    assert {"leafe.store", "leafe.stages.stage"} <= seen
    assert all(layer(m) > layer("leafe.tree") for m in ("leafe.store", "leafe.stages.stage"))
    assert imports(file, eager=True) == set()


# What gives results no shape that their data and parameters would not show.
AROUND = {"errors", "params", "chain", "layout", "text", "yaml_file", "commit", "command"}
AROUND |= {"journal", "lock", "orphans", "progress", "tracking", "store"}
AROUND |= {"task", "episode", "example", "sections", "training_sections", "planning"}
AROUND |= PORTS


def code_of(module: str) -> set[Path]:
    """The files of a stage's own and of all that it imports, near and far."""
    files = {module_of(path): path for path in SOURCES}
    found, left = set[str](), [module]
    while left:
        at = left.pop()
        found.add(at)
        ours = {m for m in imports(files[at]) if m in files and m.startswith("leafe.")}
        ours = {m for m in ours if m.split(".")[1] not in AROUND and m != "leafe.stages.stage"}
        left += ours - found
    return {files[m].relative_to(ROOT) for m in found}


@pytest.mark.parametrize("name", [*yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]])
def test_dvc_knows_the_code_of_every_stage(name: str) -> None:
    stage = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"][name]
    stage = stage.get("do", stage)
    module = stage["cmd"].split()[2]
    known = [Path(dep) for dep in stage["deps"] if dep.startswith("leafe/")]
    code = code_of(module)
    missing = {p for p in code if not any(p.is_relative_to(dep) for dep in known)}
    assert not missing
    idle = {dep for dep in known if not any(p.is_relative_to(dep) for p in code)}
    # Environments are imported by name; one of them needs the sandbox.
    assert idle <= {Path("leafe/prompts"), Path("leafe/sandbox")}


@pytest.mark.parametrize("library", OWNERS)
def test_a_heavy_library_is_imported_in_its_place_only(library: str) -> None:
    users = {
        module_of(path)
        for path in SOURCES
        if library in {name.partition(".")[0] for name in imports(path)}
    }
    owners = OWNERS[library]
    strangers = {u for u in users if not any(u == o or u.startswith(f"{o}.") for o in owners)}
    assert not strangers, f"{library} is imported by {sorted(strangers)}"


def test_nothing_in_leafe_imports_dvc() -> None:
    names = {n for p in SOURCES if module_of(p).startswith("leafe") for n in imports(p)}
    assert not {n for n in names if n.partition(".")[0] == "dvc"}


@pytest.mark.parametrize("path", [p for p in SOURCES if "stages" in p.parts], ids=module_of)
def test_a_stage_loads_torch_only_when_it_needs_it(path: Path) -> None:
    heavy = {"torch", "transformers", "leafe.training.trainer", "leafe.training.checkpoint"}
    heavy |= {"leafe.training.small", "leafe.engines.transformers"}
    heavy |= {"leafe.training.policy_gradient", "leafe.training.starting"}
    heavy |= {"leafe.training.finite", "leafe.training.resuming"}
    assert not imports(path, eager=True) & heavy


@pytest.mark.parametrize("module", ["leafe.cli", "leafe.params"])
def test_the_command_line_starts_without_the_heavy_libraries(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & {"torch", "transformers", "mlflow", "prefect", "dvc"}
