"""Settings for every test: one thread, no display, known seeds; tests for a GPU skip themselves where there is none."""

import os
import random
from pathlib import Path

os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # read when Triton is imported: kernels run slowly on the CPU

# The same examples every time, and few: more are a matter of `--hypothesis-profile=many`.
EVERY = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
settings.register_profile("same", derandomize=True, max_examples=25, **EVERY)
settings.register_profile("many", max_examples=1000, **EVERY)
settings.load_profile("same")


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Give every test the same global random numbers, alone or among others."""
    random.seed(0)
    np.random.seed(0)  # scikit-learn draws from the global generator
    torch.manual_seed(0)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one small run, finished; tests read it and leave it as it is."""
    from small_runs import run_small

    folder = tmp_path_factory.mktemp("runs") / "finished"
    run_small(folder)
    return folder
