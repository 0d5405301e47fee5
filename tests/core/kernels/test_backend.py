"""The choice of backend: by name, by what is there, and by what was measured."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from auxrnn.core.kernels import backend
from auxrnn.core.kernels.backend import TABLE, TOLERANCE, Measurement, choose_backend, is_worth_it, read_table, why_not
from auxrnn.errors import InputError

CPU = torch.device("cpu")
CARD = torch.device("cuda", 0)
FASTER = Measurement(
    device="A card", hidden_size=128, rows=128, operands="fp16", torch_forward=2.7, torch_both=6.8,
    kernel_forward=0.7, kernel_both=1.9, values=1e-3, gradients=2e-3,
)  # fmt: skip
CASE = {"dtype": torch.float32, "hidden_size": 128, "rows": 200, "operands": "fp16", "training": True}


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were a GPU and a compiled Triton; nothing is run on it."""
    monkeypatch.setattr(backend, "_has_triton", lambda: True)
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "A card")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (9, 0))


def test_stored_table_is_readable_and_names_only_equal_operands() -> None:
    assert all(row.operands in TOLERANCE for row in read_table(TABLE))


def test_auto_is_torch_without_measurements(card: None) -> None:
    assert choose_backend("auto", device=CARD, **CASE, table=[]) == "cudnn"
    assert choose_backend("auto", device=CPU, **CASE) == "cudnn"


def test_auto_takes_the_kernel_between_two_cases_it_won(card: None) -> None:
    table = [FASTER, replace(FASTER, rows=1024)]
    assert choose_backend("auto", device=CARD, **CASE, table=table) == "persistent"
    for change in ({"device": "Another"}, {"hidden_size": 64}, {"operands": "bf16"}):
        assert choose_backend("auto", device=CARD, **CASE, table=[replace(row, **change) for row in table]) == "cudnn"
    assert choose_backend("auto", device=CARD, **{**CASE, "dtype": torch.float64}, table=table) == "cudnn"


def test_worth_it_needs_equality_and_speed_on_both_sides() -> None:
    above = replace(FASTER, rows=1024)
    assert is_worth_it([FASTER, above], 128, training=True)
    assert not is_worth_it([FASTER, above], 64, training=True)  # fewer rows than anybody measured
    assert is_worth_it([FASTER, above], 2048, training=True)  # more: as at the largest number
    assert not is_worth_it([FASTER, replace(above, kernel_both=7.0)], 2048, training=True)
    assert not is_worth_it([], 128, training=True)
    slow = replace(above, kernel_both=7.0)
    assert not is_worth_it([FASTER, slow], 200, training=True)
    assert is_worth_it([FASTER, slow], 200, training=False)
    assert is_worth_it([FASTER, slow], 128, training=True)  # measured itself
    for wrong in ({"values": 3e-3}, {"gradients": 2e-2}, {"values": float("nan")}):
        assert not is_worth_it([FASTER, replace(above, **wrong)], 200, training=True)


def test_reasons_against_the_kernel(card: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert why_not(CARD, torch.float32, 128, "fp16") is None
    assert "NVIDIA GPU" in str(why_not(CPU, torch.float32, 128, "fp16"))
    assert "float64" in str(why_not(CARD, torch.float64, 128, "fp16"))
    assert "at most 64" in str(why_not(CARD, torch.float32, 128, "tf32"))
    assert "hidden size 256" in str(why_not(CARD, torch.float32, 256, "fp16"))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert "8.0" in str(why_not(CARD, torch.float32, 128, "fp16"))
    monkeypatch.setattr(backend, "_has_triton", lambda: False)
    assert "auxrnn[triton]" in str(why_not(CARD, torch.float32, 128, "fp16"))


def test_persistent_is_refused_where_it_cannot_run(card: None) -> None:
    assert choose_backend("persistent", device=CARD, **CASE) == "persistent"
    with pytest.raises(InputError, match="use backend 'cudnn' or 'auto'"):
        choose_backend("persistent", device=CPU, **CASE)
    with pytest.raises(InputError, match="Expected a backend of auto, cudnn, persistent, got 'cuda'"):
        choose_backend("cuda", device=CPU, **CASE)


def test_tables_are_read_back_and_others_refused(tmp_path: Path) -> None:
    path = tmp_path / "measured.json"
    path.write_text(json.dumps([asdict(FASTER)]), encoding="utf-8")
    assert read_table(path) == (FASTER,)
    other = tmp_path / "other.json"
    other.write_text('[{"card": 1}]', encoding="utf-8")
    with pytest.raises(InputError, match=r"kernel_card\.py"):
        read_table(other)
