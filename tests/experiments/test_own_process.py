"""A process of its own: what its work costs, and how it is stopped."""

import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.experiments import own_process as process
from auxrnn.experiments.own_process import OwnProcess, StoppedWorkError, free_memory, measured
from spawned import allocate, wait

on_linux = pytest.mark.skipif(not process.STATUS.exists(), reason="memory is read from Linux's /proc")
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="measured on the GPU where there is one")


@on_linux
@without_gpu
@pytest.mark.parametrize("mebibytes", [64, 192])
def test_the_peak_sees_an_allocation_of_known_size(mebibytes):
    cost = measured(allocate(mebibytes))
    assert mebibytes - 1 <= cost.peak / 2**20 <= mebibytes + 8
    assert cost.seconds > 0


@on_linux
@without_gpu
def test_memory_of_before_is_not_counted():
    held = torch.ones(96 * 2**18)
    assert measured(allocate(32)).peak / 2**20 < 48
    assert held.sum() > 0


@on_linux
@without_gpu
def test_work_is_done_and_stopped_at_its_limit_of_memory():
    with OwnProcess(allocate, 8, threads=1, memory=2**30) as own:
        assert own.call(600).seconds > 0
        assert own.call(600).peak >= 0
    with (
        OwnProcess(allocate, 512, threads=1, memory=256 * 2**20) as own,
        pytest.raises(StoppedWorkError, match=r"out of memory at 0.2 GiB"),
    ):
        own.call(600)


@on_linux
@pytest.mark.slow
def test_work_that_takes_too_long_is_stopped():
    with (
        OwnProcess(wait, 60, threads=1, memory=2**30) as own,
        pytest.raises(StoppedWorkError, match="took more than 0 s"),
    ):
        own.call(0.1)


def test_no_way_to_measure(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(process, "Path", lambda _: process.STATUS.parent / "none" / "such")
    with pytest.raises(InputError, match="Linux or a GPU"):
        free_memory()
