"""What the kernels need on a card, read from their machine code; no GPU needed: python benchmarks/kernel_resources.py

Compiles both kernels for GPUs by compute capability with Triton's own ptxas and prints registers a thread, shared
memory, and what stands in the loop over time: instructions a warp and step, products on tensor cores (MMA), barriers,
and spills (LDL, STL: local memory). Wide shared reads (LDSM) in the loop would mean weights read again at every step.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ["TRITON_INTERPRET"] = "0"
os.environ.setdefault("TRITON_DEFAULT_FP_FUSION", "1")  # as the launches say

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from auxrnn.core.kernels.backward import backward_kernel
from auxrnn.core.kernels.forward import forward_kernel
from auxrnn.core.kernels.launch import OPERANDS, units
from auxrnn.report.tables import markdown_table

TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"
COUNTED = {"MMA": r"[HI]G?MMA", "BAR": r"BAR\.SYNC", "LDSM": r"LDSM", "LDL": r"LDL", "STL": r"STL", "MUFU": r"MUFU"}


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--capability", type=int, nargs="+", default=[80, 90])
    parser.add_argument("--hidden", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--operands", nargs="+", choices=list(OPERANDS), default=["fp16"])
    parser.add_argument("--rows", type=int, default=8, help="rows a program")
    parser.add_argument("--features", type=int, default=1, help="input features; 0: projected before")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(words)
    found = [
        resources(kernel, capability, hidden, operands, options.rows, options.features)
        for capability in options.capability
        for hidden in options.hidden
        for operands in options.operands
        for kernel in (forward_kernel, backward_kernel)
    ]
    print(
        json.dumps(found)
        if options.json
        else markdown_table(list(found[0]), [[str(v) for v in r.values()] for r in found])
    )
    return 0


def resources(kernel: Any, capability: int, hidden: int, operands: str, rows: int, features: int) -> dict[str, Any]:
    """One kernel as a training step launches it, for one kind of GPU."""
    half = operands in ("fp16", "bf16")
    constants = {
        "F": features, "H": hidden, "UNITS": units(hidden), "ROWS": rows, "OPERAND": OPERANDS[operands],
        "PRECISION": "tf32" if operands == "tf32" else "ieee", "EMULATED": False, "FAST": half, "SAVED": True,
        "HAS_LENGTHS": False, "HAS_OUTPUTS": True, "HAS_HIDDEN": True, "HAS_CELL": True, "SCALED": operands == "fp16",
        "lengths": None, **({} if operands == "fp16" else {"scale": None}),
        **({} if features else {"weight_ih": None, "bias": None}),
    }  # fmt: skip
    constants = {name: constants[name] for name in kernel.arg_names if name in constants}
    kinds = {"B": "i32", "T": "i32", "gates": "*fp16" if half else "*fp32", **dict.fromkeys(constants, "constexpr")}
    signature = {name: kinds.get(name, "*fp32") for name in kernel.arg_names}
    aligned = {(at,): [["tt.divisibility", 16]] for at, name in enumerate(signature) if signature[name].startswith("*")}
    compiled = triton.compile(
        ASTSource(kernel, signature, constexprs=constants, attrs=aligned),
        target=GPUTarget("cuda", capability, 32),
        options={"num_warps": 8 if units(hidden) >= 128 else 4, "num_stages": 1},
    )
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        usage = run("cuobjdump", "--dump-resource-usage", file.name)
        loop = longest_loop(run("nvdisasm", "-c", file.name))
    registers = re.search(r"REG:(\d+)", usage)
    assert registers is not None, usage
    return {
        "kernel": kernel.fn.__name__.removesuffix("_kernel"),
        "sm": capability,
        "hidden": hidden,
        "operands": operands,
        "registers": int(registers[1]),
        "shared KiB": round(compiled.metadata.shared / 1024, 1),
        "loop": len(loop),
        **{name: sum(bool(re.search(pattern, line)) for line in loop) for name, pattern in COUNTED.items()},
    }


def run(tool: str, *words: str) -> str:
    return subprocess.run([str(TOOLS / tool), *words], capture_output=True, text=True, check=True).stdout


def longest_loop(listing: str) -> list[str]:
    """The instructions between the farthest jump backwards and its label: the loop over time."""
    labels: dict[str, int] = {}
    body: list[str] = []
    loops: list[list[str]] = [[]]
    for line in listing.splitlines():
        label = re.match(r"\s*(\.L_x_\d+):", line)
        if label:
            labels[label[1]] = len(body)
        if re.search(r"/\*[0-9a-f]{4,}\*/", line):
            body.append(line)
            jump = re.search(r"BRA.*?(\.L_x_\d+)", line)
            if jump and jump[1] in labels:
                loops.append(body[labels[jump[1]] :])
    return max(loops, key=len)


if __name__ == "__main__":
    sys.exit(main())
