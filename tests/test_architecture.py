"""Arrows run downwards: each room imports only rooms below it, there are no cycles, and heavy libraries load late.

Every module is parsed, not imported, so an import inside a function or under `if TYPE_CHECKING` counts like any other.
"""

import ast
import graphlib
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "auxrnn"

# From top to bottom. A wing is a sub-package, or a module beside them. It imports wings of lower lines only, so wings
# of one line do not know each other. "" is the package's own __init__.
Rooms = tuple[tuple[str, ...], ...]
WINGS: Rooms = (
    ("",),
    ("__main__",),
    ("cli",),
    ("experiments",),
    ("runs",),
    ("estimator",),
    ("training",),
    ("use",),
    ("verdict",),
    ("report", "sources"),
    ("core",),
    ("targets",),
    ("config", "storage"),
    ("errors",),
)

# The rooms of a wing in the same way, where their order matters. Inside the others anything goes that has no cycle.
ROOMS: Mapping[str, Rooms] = {
    "core": (
        ("build",),
        ("baselines",),
        ("model", "running"),
        ("gradients",),
        ("objectives",),
        ("truncation", "tiles"),
        ("decoders",),
        ("heads",),
        ("anchors",),
        ("encoder", "readouts"),
        ("stems", "totals", "cells"),
        ("recurrent", "initialisation", "kernels"),
        ("threads", "allocation"),
        ("batch",),
        ("lazy_steps",),
        ("",),
    ),
}


# The checker ----------------------------------------------------------------------------------------------------------


def find_modules(package: Path) -> dict[str, Path]:
    """Return dotted name -> file for every module of the package, its own `__init__` under the package's name."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def import_nodes(tree: ast.AST, *, late: bool = True) -> Iterator[ast.AST]:
    """Yield the nodes that import something; without `late` only those that run when the module itself is imported."""
    for node in ast.iter_child_nodes(tree):
        if not late and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if not late and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(node, ast.Import | ast.ImportFrom) or imported_by_call(node) is not None:
            yield node
        yield from import_nodes(node, late=late)


def imported_by_call(node: ast.AST) -> str | None:
    """Return "name" for `import_module("name")` and `__import__("name")`."""
    if not (isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant)):
        return None
    function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    name = node.args[0].value
    return name if function in ("import_module", "__import__") and isinstance(name, str) else None


def read_imports(name: str, modules: Mapping[str, Path], *, late: bool = True) -> dict[str, int]:
    """Return imported module -> line. `from a import b` means `a.b` where that is one of our modules, else `a`."""
    path = modules[name]
    parents = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    imports: dict[str, int] = {}
    for node in import_nodes(ast.parse(path.read_text(encoding="utf-8"), str(path)), late=late):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            anchor = parents[: len(parents) - node.level + 1] if node.level else []
            source = ".".join([*anchor, *([node.module] if node.module else [])])
            members = [f"{source}.{alias.name}" for alias in node.names]
            targets = [member if member in modules else source for member in members]
        else:
            assert isinstance(node, ast.Call)
            called = imported_by_call(node)
            assert called is not None
            targets = [called]
        for target in targets:
            imports.setdefault(target, node.lineno)
    return imports


def room_of(module: str, above: str) -> str:
    """Return the room of a module below the package `above`; "" for that package itself."""
    return module.removeprefix(above).strip(".").partition(".")[0]


def find_violations(package: Path, rooms: Rooms = WINGS, wing: str = "") -> list[str]:
    """Return one sentence for each module without a room, each arrow that does not run downwards, and a cycle.

    With a wing its rooms alone are looked at, and the arrows between them.
    """
    above = f"{package.name}.{wing}" if wing else package.name
    modules = find_modules(package)
    inside = [name for name in modules if f"{name}.".startswith(f"{above}.")]
    height = {room: -line for line, peers in enumerate(rooms) for room in peers}
    violations = [
        f"{modules[name].relative_to(package)}: no room is called {room_of(name, above)!r}; add it to the rooms in "
        "tests/test_architecture.py, below everything that imports it and above everything that it imports"
        for name in inside
        if room_of(name, above) not in height
    ]
    graph: dict[str, set[str]] = {}
    for name in inside:
        path, graph[name] = modules[name], set()
        for target, line in read_imports(name, modules).items():
            if not f"{target}.".startswith(f"{above}."):
                continue
            where = f"{path.relative_to(package)}:{line}"
            room, target_room = room_of(name, above), room_of(target, above)
            if target not in modules:
                violations.append(f"{where}: {target} does not exist")
            elif target == package.name:
                violations.append(f"{where}: import the submodule that defines the name, not {package.name} itself")
            else:
                graph[name].add(target)
                known = room in height and target_room in height
                if known and room != target_room and height[target_room] >= height[room]:
                    violations.append(f"{where}: {room or '__init__'} must not import {target}, which is not below it")
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        violations.append("cycle: " + " <- ".join(error.args[1]))
    return violations


def loaded_with(name: str, modules: Mapping[str, Path]) -> set[str]:
    """Return every module, ours or not, that importing `name` loads at once, through parent packages too."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        if module in modules:
            waiting += read_imports(module, modules, late=False)
        if "." in module:
            waiting.append(module.rpartition(".")[0])
    return seen


# The package ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wing", "rooms"), [("", WINGS), *ROOMS.items()])
def test_arrows_run_downwards_without_cycles(wing: str, rooms: Rooms) -> None:
    violations = find_violations(PACKAGE, rooms, wing)
    assert not violations, "\n".join(violations)


def test_the_package_is_there() -> None:
    assert {"auxrnn", "auxrnn.cli", "auxrnn.core.truncation"} <= set(find_modules(PACKAGE))


def test_report_loads_no_torch() -> None:
    modules = find_modules(PACKAGE)
    offenders = [
        name
        for name in modules
        if room_of(name, "auxrnn") == "report" and {"torch", "lightning"} & loaded_with(name, modules)
    ]
    assert not offenders, f"reports are functions of stored results; these load torch: {offenders}"


def run_python(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=300, check=False
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout.splitlines()[-1]


def test_import_and_torch_level_names_load_nothing_heavier_than_torch() -> None:
    loaded = run_python("""
        import sys
        import auxrnn
        auxrnn.encode_windows, auxrnn.SequenceClassifier, auxrnn.Reconstruction, auxrnn.Prediction
        print(sorted({"lightning", "pytorch_lightning", "matplotlib", "sklearn"} & set(sys.modules)))
    """)
    assert loaded == "[]"


@pytest.mark.parametrize("words", ["--help", "train --help", "train digits --print_config"])
def test_help_loads_neither_torch_nor_lightning(words: str) -> None:
    loaded = run_python(f"""
        import runpy
        import sys
        sys.argv = ["auxrnn", *{words.split()}]
        try:
            runpy.run_module("auxrnn", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            assert end.code in (None, 0), end.code
        heavy = ["torch", "lightning", "pytorch_lightning", "matplotlib", "sklearn", "scipy"]
        print([name for name in heavy if name in sys.modules])
    """)
    assert loaded == "[]"


# The checker itself, on small packages with known faults --------------------------------------------------------------


TOY: Rooms = (("",), ("model",), ("losses", "anchors"), ("sources",), ("errors",))


def write_package(folder: Path, files: Mapping[str, str]) -> Path:
    package = folder / "auxrnn"
    for name, text in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    return package


def test_checker_accepts_downward_imports(tmp_path: Path) -> None:
    files = {
        "__init__.py": "from auxrnn.model import Net as Net",
        "model.py": "import torch\nfrom auxrnn import losses\nfrom auxrnn.sources import pixels, load",
        "losses.py": "from .errors import Wrong",
        "sources/__init__.py": "from auxrnn.sources.pixels import load as load",
        "sources/pixels.py": "from ..errors import Wrong\nfrom . import hashes",
        "sources/hashes.py": "",
        "errors.py": "class Wrong(Exception): ...",
    }
    assert find_violations(write_package(tmp_path, files), TOY) == []


@pytest.mark.parametrize(
    "statement",
    [
        "from auxrnn.model import Net",
        "from auxrnn import model",
        "import auxrnn.model as model",
        "from .model import Net",
        "from . import model",
        "def late():\n    from auxrnn.model import Net",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from auxrnn.model import Net",
        "import importlib\nmodel = importlib.import_module('auxrnn.model')",
    ],
)
def test_checker_finds_an_upward_import_in_every_spelling(tmp_path: Path, statement: str) -> None:
    violations = find_violations(write_package(tmp_path, {"model.py": "class Net: ...", "losses.py": statement}), TOY)
    line = len(statement.splitlines())
    assert violations == [f"losses.py:{line}: losses must not import auxrnn.model, which is not below it"]


def test_checker_finds_an_import_between_peers(tmp_path: Path) -> None:
    (violation,) = find_violations(
        write_package(tmp_path, {"losses.py": "import auxrnn.anchors", "anchors.py": ""}), TOY
    )
    assert "losses must not import auxrnn.anchors" in violation


def test_checker_finds_a_cycle_inside_a_room(tmp_path: Path) -> None:
    files = {
        "sources/__init__.py": "",
        "sources/text.py": "from .pixels import a",
        "sources/pixels.py": "def f():\n    from . import text",
    }
    (violation,) = find_violations(write_package(tmp_path, files), TOY)
    assert violation.startswith("cycle:")
    assert {"auxrnn.sources.text", "auxrnn.sources.pixels"} <= set(violation.split())


@pytest.mark.parametrize("statement", ["import auxrnn", "from auxrnn import Net", "from . import Net"])
def test_checker_finds_an_import_of_the_public_api(tmp_path: Path, statement: str) -> None:
    (violation,) = find_violations(write_package(tmp_path, {"model.py": statement}), TOY)
    assert "import the submodule that defines the name" in violation


def test_checker_says_where_to_add_a_new_module(tmp_path: Path) -> None:
    (violation,) = find_violations(write_package(tmp_path, {"utils.py": ""}), TOY)
    assert "no room is called 'utils'" in violation
    assert "add it to the rooms in tests/test_architecture.py" in violation


def test_checker_finds_an_import_of_nothing(tmp_path: Path) -> None:
    (violation,) = find_violations(write_package(tmp_path, {"model.py": "from auxrnn.loses import mse"}), TOY)
    assert violation == "model.py:1: auxrnn.loses does not exist"


def test_loaded_with_follows_what_runs_at_import_time_only(tmp_path: Path) -> None:
    modules = find_modules(
        write_package(
            tmp_path,
            {
                "report/__init__.py": "",
                "report/late.py": "def draw():\n    import torch\nfrom auxrnn.errors import Wrong",
                "report/early.py": "try:\n    from auxrnn.losses import mse\nexcept ImportError:\n    pass",
                "losses.py": "import torch.nn.functional as F",
                "errors.py": "",
            },
        )
    )
    assert "torch" not in loaded_with("auxrnn.report.late", modules)
    assert "torch" in loaded_with("auxrnn.report.early", modules)
