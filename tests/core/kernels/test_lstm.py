"""PersistentLSTM against torch's own LSTM, on either backend."""

import copy

import pytest
import torch
from torch import Tensor, nn

from auxrnn.core import truncation
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.initialisation import chrono_
from auxrnn.core.kernels.lstm import PersistentLSTM
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.stems import ConvStem
from auxrnn.core.truncation import WindowPlan, encode_plans
from auxrnn.errors import InputError
from auxrnn.use.streaming import Stream

pytest.importorskip("triton")

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def pair(backend: str, num_layers: int = 1) -> tuple[PersistentLSTM, nn.LSTM]:
    """The module, in float32 throughout, and torch's with the same weights."""
    core = PersistentLSTM(3, 16, num_layers, backend=backend, operands="fp32").to(DEVICE)
    plain = nn.LSTM(3, 16, num_layers, batch_first=True).to(DEVICE)
    plain.load_state_dict(core.state_dict())
    return core, plain


def assert_near(found: list[Tensor], expected: list[Tensor]) -> None:
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_same_seed_same_weights_same_names_as_torch() -> None:
    torch.manual_seed(7)
    core = PersistentLSTM(3, 5, 2)
    torch.manual_seed(7)
    plain = nn.LSTM(3, 5, 2, batch_first=True)
    mine, theirs = core.state_dict(), plain.state_dict()
    assert list(mine) == list(theirs)
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    plain.load_state_dict(mine)
    core.load_state_dict(theirs)
    chrono_(core, 10)  # it is an nn.LSTM to everything that asks


@pytest.mark.parametrize("backend", ["auto", "cudnn", "persistent"])
def test_values_and_gradients_equal_torch(backend: str) -> None:
    core, plain = pair(backend, num_layers=2)
    inputs = torch.randn(2, 3, 3, device=DEVICE, requires_grad=True)
    state = tuple(torch.randn(2, 2, 16, device=DEVICE, requires_grad=True) for _ in range(2))
    results = []
    for module in (core, plain):
        outputs, (hidden, cell) = module(inputs, state)
        total = outputs.square().sum() + hidden.sum() + 2 * cell.sum()
        results.append([outputs, hidden, cell, *torch.autograd.grad(total, [inputs, *state, *module.parameters()])])
    assert_near(*results)


@pytest.mark.parametrize("backend", ["cudnn", "persistent"])
def test_lengths_stop_each_row(backend: str) -> None:
    core, plain = pair(backend)
    inputs, lengths = torch.randn(3, 4, 3, device=DEVICE), torch.tensor([4, 0, 2])
    first = tuple(torch.randn(1, 3, 16, device=DEVICE) for _ in range(2))
    for start in (None, first):
        outputs, state = core(inputs, start, lengths)
        for row, steps in enumerate(lengths.tolist()):
            begin = None if start is None else tuple(part[:, row : row + 1] for part in start)
            alone, last = plain(inputs[row : row + 1, :steps], begin) if steps else (inputs.new_zeros(1, 0, 16), begin)
            assert_near([outputs[row, :steps]], [alone[0]])
            assert not outputs[row, steps:].any()
            expected = [torch.zeros(1, 16, device=DEVICE)] * 2 if last is None else [part[:, 0] for part in last]
            assert_near([part[:, row] for part in state], expected)


def test_windows_of_an_encoder_are_the_same_on_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    kernel = Encoder(
        InputSpec("values", 2), cell=PersistentLSTM(4, 16, backend="persistent", operands="fp32"), projection_size=4
    ).to(DEVICE)
    plain = copy.deepcopy(kernel)
    plain.core = nn.LSTM(4, 16, batch_first=True).to(DEVICE)
    plain.core.load_state_dict(kernel.core.state_dict())
    monkeypatch.setattr(truncation, "CHUNK_SIZE", 24)  # 8 rows: the prefix in several calls
    inputs = torch.randn(2, 9, 2, device=DEVICE)
    unequal = WindowPlan(
        torch.tensor([[6, 0, 4], [2, 5, 7]]), torch.tensor([[9, 2, 4], [5, 5, 9]])
    )  # two of them empty
    last = WindowPlan(torch.tensor([[5], [8]]), torch.tensor([[9], [9]]), outputs=False)
    results = []
    for encoder in (kernel, plain):
        first, second = encode_plans(encoder, inputs, [unequal, last])
        found = [first.outputs, *first.state, *second.state]
        total = sum((one * torch.linspace(1, 2, one.numel(), device=DEVICE).view_as(one)).sum() for one in found)
        results.append([*found, *torch.autograd.grad(total, list(encoder.parameters()))])
        assert second.outputs.shape == (2, 1, 0, 16)
    assert_near(*results)


@pytest.mark.parametrize("readout", ["last", "stats-max"])
def test_tokens_and_readouts_of_all_steps_are_the_same_on_the_kernel(readout: str) -> None:
    """Sums come from the plain prefix; the windows, of unequal lengths and some of them empty, run on the kernel."""
    torch.manual_seed(1)
    spec = InputSpec("values", 2)
    core = PersistentLSTM(4, 16, backend="persistent", operands="fp32")
    encoder = Encoder(spec, cell=core, projection_size=4, stem=ConvStem(spec, 4, stride=2, kernel=2))
    options = {"num_windows": 2, "top_windows": 1, "anchor_weight": 0.0 if readout == "last" else 0.5}
    kernel = SequenceClassifier(encoder, 3, bptt=2, readout=readout, windows=options, regulariser="none").to(DEVICE)
    plain = copy.deepcopy(kernel)
    plain.encoder.core = nn.LSTM(4, 16, batch_first=True).to(DEVICE)
    plain.encoder.core.load_state_dict(kernel.encoder.core.state_dict())
    batch = SequenceBatch(torch.randn(3, 11, 2), torch.tensor([11, 2, 7]), torch.arange(3)).to(DEVICE)
    results, streamed = [], []
    for network in (kernel, plain):
        loss = network.losses(batch, ["supervised"], 0.0, step_generator(0))["supervised"].total
        weights = [*network.encoder.parameters(), *network.supervised.parameters()]
        with torch.no_grad():
            results.append([loss, network.eval()(batch), *torch.autograd.grad(loss, weights)])
        stream = Stream(network)
        streamed.append([stream.push(piece) for piece in batch.inputs[:1].split([1, 6, 4], dim=1)])
    assert_near(*results)
    assert_near(*streamed)


def test_half_precision_and_autocast_come_out_as_the_weights_are() -> None:
    core = PersistentLSTM(3, 16, backend="persistent").to(DEVICE)
    inputs = torch.randn(1, 2, 3, device=DEVICE)
    with torch.autocast(DEVICE, dtype=torch.bfloat16):
        outputs, _ = core(inputs)
    assert outputs.dtype == torch.float32
    small, _ = copy.deepcopy(core).to(torch.bfloat16)(inputs.to(torch.bfloat16))
    assert small.dtype == torch.bfloat16
    torch.testing.assert_close(small.float(), outputs, rtol=0, atol=2e-2)


def test_refusals_say_what_was_expected() -> None:
    with pytest.raises(InputError, match="Did you mean 'persistent'"):
        PersistentLSTM(3, 16, backend="persistant")
    with pytest.raises(InputError, match="Expected operands of"):
        PersistentLSTM(3, 16, operands="fp64")
    core = PersistentLSTM(3, 16, backend="persistent").to(DEVICE)
    inputs = torch.zeros(2, 4, 3, device=DEVICE)
    for wrong, message in [(inputs[..., :2], "got .2, 4, 2."), (inputs[:, :0], "got .2, 0, 3.")]:
        with pytest.raises(InputError, match=message):
            core(wrong)
    for lengths, message in [
        (torch.tensor([4]), "shape .2,."),
        (torch.tensor([4.0, 1.0]), "float32"),
        (torch.tensor([5, 0]), "0..4, got 0 to 5"),
    ]:
        with pytest.raises(InputError, match=message):
            core(inputs, None, lengths)
    with pytest.raises(InputError, match="state of two tensors"):
        core(inputs, (torch.zeros(1, 3, 16), torch.zeros(1, 3, 16)))
    with pytest.raises(InputError, match="hidden size 256"):
        PersistentLSTM(3, 256, backend="persistent").to(DEVICE)(inputs)
