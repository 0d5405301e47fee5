"""The kernels compile for real GPUs, none of which is needed, with the weights in registers and nothing spilt."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

triton = pytest.importorskip("triton")

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "kernel_resources.py"
TOOLS = Path(triton.__file__).parent / "backends" / "nvidia" / "bin"


@pytest.mark.slow
@pytest.mark.skipif(not (TOOLS / "nvdisasm").exists(), reason="this Triton brings no disassembler")
@pytest.mark.parametrize("capability", [80, 90])
def test_the_loop_over_time_neither_spills_nor_reads_its_weights_again(capability: int) -> None:
    command = [sys.executable, str(SCRIPT), "--json", "--hidden", "128", "--capability", str(capability)]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    for row in json.loads(finished.stdout):
        assert row["MMA"] >= 32, row
        assert row["LDL"] + row["STL"] == 0, row
        assert row["LDSM"] <= 16, row  # the state or the gates' gradients; the weights alone would be 32 more
        assert row["shared KiB"] <= 99, row  # what consumer cards of capability 8.6 and 8.9 have
