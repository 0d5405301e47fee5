from dataclasses import replace

import pytest
import torch

from auxrnn.cli import main
from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.build import build_model
from auxrnn.experiments.diagnosis import alignments, blanked, scores_by_reach, scores_without
from auxrnn.sources.dataset import SequenceData

SPEC = InputSpec("values", 2)
CONFIG = ModelConfig(model="lstm", hidden_size=4, projection_size=3, bptt="full", readout="stats")


def make(**changes):
    torch.manual_seed(0)
    network = build_model(replace(CONFIG, **changes), SPEC, 3, 40).double()
    lengths = torch.tensor([40, 11, 25])
    return network, SequenceBatch(torch.randn(3, 40, 2, dtype=torch.float64), lengths, torch.arange(3))


@pytest.mark.parametrize("readout", ["last", "stats"])
def test_the_full_gradient_is_true(readout):
    network, batch = make(readout=readout)
    assert network.training
    found = alignments(network, batch)
    assert network.training
    assert [one.part for one in found][:2] == ["encoder.projection", "encoder.core"]
    assert all(abs(value - 1) < 1e-9 for one in found for value in (one.single, one.mean, one.size))


def test_a_truncated_gradient_is_less_true_for_the_core_alone_and_better_on_average():
    network, batch = make(bptt=3, num_windows=2)
    core, head = (next(one for one in alignments(network, batch, 64) if one.part == part)
                  for part in ("encoder.core", "supervised.head.second"))  # fmt: skip
    assert core.single < core.mean < 0.9999
    assert head.mean == pytest.approx(1, abs=1e-9)  # values are exact, and the head's gradient follows from them


def test_a_part_that_gets_no_gradient_has_no_cosine_with_the_true_one():
    network, batch = make(bptt=0)
    assert next(one for one in alignments(network, batch) if one.part == "encoder.core").size == 0


def planted():
    """Sequences of unequal lengths whose label stands 12 steps before the end, and 0 elsewhere."""
    generator = torch.Generator().manual_seed(0)
    lengths, labels = torch.randint(40, 60, (30,), generator=generator), torch.arange(30) % 2
    inputs = [torch.zeros(length, 2) for length in lengths.tolist()]
    for sequence, label in zip(inputs, labels.tolist(), strict=True):
        sequence[-12] = 2.0 * label - 1
    return SequenceData("planted", SPEC, inputs, labels, classes=("a", "b"))


def summing_network():
    """A minGRU that adds up its first channel: the sign of the sum is the label."""
    network = build_model(replace(CONFIG, cell="mingru", readout="last", projection_size=None), SPEC, 2, 60)
    with torch.no_grad():
        for weight in network.parameters():
            weight.zero_()
        core, head = network.encoder.core, network.supervised.head
        core.maps[0].bias[:4] = -5.0  # keeps nearly all
        core.maps[0].weight[4:6, 0] = torch.tensor([1e4, -1e4])
        head.first.weight[0, 0] = head.first.weight[1, 1] = 1.0
        head.second.weight[1, 0] = head.second.weight[0, 1] = 1.0
    return network


def test_blanking_shows_where_the_evidence_is():
    network, data = summing_network(), planted()
    assert scores_by_reach(network, data, [1, 11, 12, 60]) == {1: 0.5, 11: 0.5, 12: 1.0, 60: 1.0}
    found = scores_without(network, data, 4)  # step T - 12 of T = 40 to 59 lies in the third or the last quarter
    assert found[:2] == [1.0, 1.0]
    assert found[2] + found[3] == pytest.approx(1.5)
    assert not any(one[-12:].any() for one in blanked(data, [slice(-12, None)] * 30).inputs)
    assert all(one[-12].any() for one in data.inputs)  # untouched


def test_the_command(finished_run, capsys):
    assert main(["diagnose", str(finished_run)]) == 0
    told = capsys.readouterr().out
    assert "encoder.core" in told
    assert "steps kept" in told
    assert "steps the state of a unit lasts" in told
    assert "7/8 to 8/8" in told


def test_no_run(tmp_path, capsys):
    assert main(["diagnose", str(tmp_path)]) == 2
