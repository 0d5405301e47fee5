"""Count what a newcomer has to find their way in: `python benchmarks/house.py [SRC]`, by default src/auxrnn.

Modules are parsed, never imported, so an import inside a function or under `if TYPE_CHECKING` counts like any other. A
room is a module or a sub-package directly below SRC, `__init__` and `__main__` included; an arrow is a pair of rooms of
which the first imports the second. Functions are counted with their docstrings, Triton's kernels apart.
"""

import ast
import subprocess
import sys
from pathlib import Path

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef
LONG = 70


def find_modules(package: Path) -> dict[str, ast.Module]:
    """Return dotted name -> syntax tree for every module; a package's `__init__` has the package's name."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = [package.name, *path.relative_to(package).with_suffix("").parts]
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return found


def find_imports(name: str, tree: ast.Module, modules: set[str], packages: set[str]) -> set[str]:
    """Return the modules of the package that a module imports. `from a import b` means `a.b` where that is a module."""
    parents = name.split(".") if name in packages else name.split(".")[:-1]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            anchor = parents[: len(parents) - node.level + 1] if node.level else []
            source = ".".join([*anchor, *([node.module] if node.module else [])])
            members = [f"{source}.{alias.name}" for alias in node.names]
            found |= {member if member in modules else source for member in members}
    return found & modules


def find_circles(imports: dict[str, set[str]]) -> set[str]:
    """Return the modules that import themselves by way of others."""
    reach = {name: set(found) for name, found in imports.items()}
    for middle, beyond in reach.items():
        for found in reach.values():
            if middle in found:
                found |= beyond
    return {name for name, found in reach.items() if name in found}


def measure_functions(trees: dict[str, ast.Module]) -> list[tuple[int, str]]:
    """Return (lines, module:name) of every function, the longest first, Triton's kernels apart."""
    found = []
    for module, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, FUNCTION) and not any("jit" in ast.unparse(each) for each in node.decorator_list):
                found.append((node.end_lineno - node.lineno + 1, f"{module}:{node.name}"))
    return sorted(found, reverse=True)


def public_names(tree: ast.Module) -> set[str]:
    """Return the names without an underscore that a module defines: functions, classes and what it assigns."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [target for node in assigned for target in getattr(node, "targets", None) or [node.target]]
    defined = {node.name for node in tree.body if isinstance(node, FUNCTION | ast.ClassDef)}
    names = defined | {target.id for target in targets if isinstance(target, ast.Name)}
    return {name for name in names if not name.startswith("_")}


def main(package: Path) -> None:
    """Print one row of counts and the ten longest functions."""
    trees = find_modules(package)
    packages = {name for name in trees if (package.parent / name.replace(".", "/")).is_dir()}
    imports = {name: find_imports(name, tree, set(trees), packages) for name, tree in trees.items()}
    room = {name: name.split(".")[1] if "." in name else "" for name in trees}
    arrows = {(room[name], room[other]) for name, found in imports.items() for other in found}
    lengths = measure_functions(trees)
    tracked = subprocess.run(["git", "ls-files", ":/"], cwd=package, capture_output=True, text=True, check=True).stdout
    row = {
        "files": len(trees),
        "lines": sum(len(path.read_text(encoding="utf-8").splitlines()) for path in package.rglob("*.py")),
        "rooms": len(set(room.values())),
        "arrows": len({pair for pair in arrows if pair[0] != pair[1]}),
        "modules in circles": len(find_circles(imports)),
        f"functions above {LONG} lines": sum(lines > LONG for lines, _ in lengths),
        "longest": lengths[0][0],
        "public names": sum(len(public_names(tree)) for tree in trees.values()),
        "tracked files": len(tracked.splitlines()),
    }
    print("| " + " | ".join(row) + " |\n|" + "---:|" * len(row))
    print("| " + " | ".join(f"{number:,}" for number in row.values()) + " |\n")
    for lines, name in lengths[:10]:
        print(f"{lines:4} lines  {name}")


if __name__ == "__main__":
    main((Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "src" / "auxrnn").resolve())
