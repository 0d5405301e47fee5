"""Half precision is tried before it is promised, and the user is told once where it cannot be had."""

import pytest
import torch

from auxrnn.config import TrainingConfig
from auxrnn.errors import InputError
from auxrnn.training import precision as precision_module
from auxrnn.training.precision import find_device, matmul_precision, usable_precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def fresh_probe():
    precision_module._what_fails.cache_clear()
    yield
    precision_module._what_fails.cache_clear()


def test_full_precision_needs_no_probe(monkeypatch):
    monkeypatch.setattr(precision_module, "_what_fails", None)
    assert usable_precision("32-true", CPU) == "32-true"


def test_a_device_without_the_instructions_falls_back_and_says_why(monkeypatch):
    def cannot(*arguments, **options):
        raise RuntimeError("could not create a primitive descriptor\nmore")

    monkeypatch.setattr(torch.nn.LSTM, "forward", cannot)
    message = r"Training in 32-true instead of bf16-mixed: this CPU has no LSTM in it \(could not create a primitive"
    with pytest.warns(UserWarning, match=message):
        assert usable_precision("bf16-mixed", CPU) == "32-true"


def test_a_device_that_can_is_taken_at_its_word(monkeypatch):
    monkeypatch.setattr(precision_module, "_what_fails", lambda device, dtype: None)
    assert usable_precision("bf16-mixed", CPU) == "bf16-mixed"


def test_the_probe_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    precision_module._what_fails("cpu", torch.bfloat16)
    assert torch.equal(torch.get_rng_state(), before)


def test_float16_needs_a_gpu():
    with pytest.warns(UserWarning, match="instead of 16-mixed: 16-mixed needs a GPU"):
        assert usable_precision("16-mixed", CPU) == "32-true"


def test_products_are_as_asked_within_and_as_before_after():
    before = torch.get_float32_matmul_precision()
    within = []

    @matmul_precision("high")
    def failing():
        within.append(torch.get_float32_matmul_precision())
        raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert within == ["high"]
    assert torch.get_float32_matmul_precision() == before


# The device -----------------------------------------------------------------------------------------------------------


def test_each_process_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [find_device("auto", local) for local in (0, 1)] == [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert find_device("cpu", 7) == torch.device("cpu")
    with pytest.raises(InputError, match="at most 2 devices, for this machine has as many GPUs, got 3"):
        find_device("gpu", 2)


def test_without_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto", 3) == CPU
    for name in ("gpu", "cuda", "mps"):
        with pytest.raises(InputError, match=f"that this machine has, got '{name}' and found none"):
            find_device(name)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ({"accelerator": "gpuu"}, "gpu"),
        ({"strategy": "dpp"}, "ddp"),
        ({"precision": "bf16-true"}, "bf16-mixed"),
        ({"precision": "64-true"}, "32-true"),
    ],
)
def test_others_are_refused_where_they_are_said(given, nearest):
    with pytest.raises(InputError, match=rf"Did you mean '{nearest}'\?"):
        TrainingConfig(**given)
