"""Within `plain_torch` torch computes as by its own defaults; around it nothing changes."""

import threading

import pytest
import torch

from auxrnn.use.plain_torch import plain_torch


@pytest.fixture(autouse=True)
def _restored():
    yield
    torch.set_default_dtype(torch.float32)


def modes():
    new = torch.ones(1)
    product = torch.ones(2, 2, device="cpu") @ torch.ones(2, 2, device="cpu")
    return new.dtype, new.device.type, new.is_inference(), torch.is_grad_enabled(), product.dtype


PLAIN = (torch.float32, "cpu", False, True, torch.float32)


@pytest.mark.parametrize(
    "around",
    [
        torch.inference_mode(),
        torch.no_grad(),
        torch.device("meta"),
        torch.autocast("cpu", dtype=torch.bfloat16),
    ],
    ids=["inference", "no gradient", "device", "autocast"],
)
def test_modes(around):
    with around:
        before = modes()
        assert before != PLAIN
        with plain_torch():
            assert modes() == PLAIN
        assert modes() == before


def test_the_default_type_waits_for_the_last_thread():
    torch.set_default_dtype(torch.float64)
    inside, leave, seen = threading.Event(), threading.Event(), []

    def other():
        with plain_torch():
            inside.set()
            leave.wait(300)
            seen.append(torch.get_default_dtype())

    thread = threading.Thread(target=other)
    with plain_torch():
        thread.start()
        assert inside.wait(300)
    assert torch.get_default_dtype() == torch.float32
    leave.set()
    thread.join()
    assert seen == [torch.float32]
    assert torch.get_default_dtype() == torch.float64


def test_as_before_after_an_error():
    torch.set_default_dtype(torch.float64)
    with pytest.raises(KeyError), plain_torch():
        raise KeyError
    assert torch.get_default_dtype() == torch.float64
