"""Tokens against a slow loop over whole sequences, in float64: values, gradients, and which raw steps they read."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec, SequenceBatch
from auxrnn.core.encoder import Encoder
from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Prediction, Reconstruction, objective_losses
from auxrnn.core.stems import NO_CHARACTER, QUIET, ConvStem, LogMelStem, TokenGrid, mel_filters
from auxrnn.core.truncation import encode_windows
from oracles import assert_same, gradients, slow_window

SPECS = {
    "values": InputSpec("values", 2),
    "pixels": InputSpec("pixels", 3, levels=5),
    "characters": InputSpec("characters", 6),
}
STRIDE, KERNEL = 3, 2
LENGTHS = [1, 2, 3, 4, 5, 6, 17]  # below, at and above a stride


def make_stem(kind: str, size: int = 4, **options: int | str) -> ConvStem:
    torch.manual_seed(1)
    return ConvStem(SPECS[kind], size, **{"stride": STRIDE, "kernel": KERNEL, "embedding_size": 5, **options}).double()


def make_batch(kind: str, lengths: list[int] = LENGTHS) -> SequenceBatch:
    """Padded with what would be noticed: NaN, or a level or character that is none."""
    torch.manual_seed(2)
    spec, shape = SPECS[kind], (len(lengths), max(lengths))
    if kind == "values":
        inputs = torch.randn(*shape, spec.size, dtype=torch.float64)
        padding: float = float("nan")
    elif kind == "pixels":
        inputs, padding = torch.randint(spec.levels, (*shape, spec.size), dtype=torch.uint8), 255
    else:
        inputs, padding = torch.randint(spec.size, shape), 99
    for row, length in enumerate(lengths):
        inputs[row, length:] = padding
    return SequenceBatch(inputs, torch.tensor(lengths))


def slow_features(stem: ConvStem, raw: Tensor) -> Tensor:
    """Of one sequence (T, ...), with torch's own convolution over all of it: (N, size)."""
    steps = (
        stem.embedding(raw)
        if stem.embedding is not None
        else raw.double() / (stem.spec.levels - 1 if stem.spec.kind == "pixels" else 1)
    )  # (T, C)
    stride, window = stem.grid.stride, stem.grid.window
    whole = functional.pad(steps.T, (window - stride, -len(raw) % stride))  # zeros before and behind
    weight = stem.convolution.weight.view(stem.size, -1, window)
    said = functional.conv1d(whole[None], weight, stem.convolution.bias, stride)[0].T
    if isinstance(stem.norm, nn.Identity):
        return functional.gelu(said)
    return functional.gelu(functional.layer_norm(said, (stem.size,), stem.norm.weight, stem.norm.bias))


@pytest.mark.parametrize("norm", ["layer", "none"])
@pytest.mark.parametrize("kind", SPECS)
def test_features_are_those_of_a_convolution_over_the_whole_sequence(kind: str, norm: str) -> None:
    stem, batch = make_stem(kind, norm=norm), make_batch(kind)
    tokens = stem.grid.cut(batch, stem.spec)
    assert tokens.lengths.tolist() == [-(-length // STRIDE) for length in LENGTHS]
    features = stem(tokens.inputs)
    for row, length in enumerate(LENGTHS):
        expected = slow_features(stem, batch.inputs[row, :length])
        torch.testing.assert_close(features[row, : len(expected)], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", SPECS)
def test_tokens_stay_compact_and_copy_nothing_but_the_padded_steps(kind: str) -> None:
    batch = make_batch(kind)
    tokens = TokenGrid(STRIDE, 2 * STRIDE).cut(batch, SPECS[kind])
    assert tokens.inputs.dtype == batch.inputs.dtype
    raw_steps = batch.inputs.shape[1] + STRIDE + (-batch.inputs.shape[1] % STRIDE)
    assert tokens.inputs.untyped_storage().nbytes() == batch.inputs[:, :1].nbytes * raw_steps
    assert tokens.own is not None
    assert tokens.own.untyped_storage().data_ptr() == tokens.inputs.untyped_storage().data_ptr()


def test_own_steps_of_a_token() -> None:
    inputs = torch.arange(14, dtype=torch.float64).view(1, 7, 2)
    tokens = TokenGrid(3, 6).cut(SequenceBatch(inputs, torch.tensor([7])), InputSpec("values", 2))
    assert tokens.own is not None
    assert tokens.own.tolist() == [[[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11], [12, 13, 0, 0, 0, 0]]]
    text = SequenceBatch(torch.tensor([[4, 2, 5, 1]]), torch.tensor([4]))
    said = TokenGrid(3, 3).cut(text, SPECS["characters"]).own
    assert said is not None
    assert said.tolist() == [[[4, 2, 5], [1, NO_CHARACTER, NO_CHARACTER]]]
    single = TokenGrid(1, 2).cut(text, SPECS["characters"]).own
    assert single is not None
    assert single.tolist() == text.inputs.tolist()


@pytest.mark.parametrize(("stride", "window"), [(0, 1), (3, 2)])
def test_a_grid_that_skips_raw_steps_is_refused(stride: int, window: int) -> None:
    with pytest.raises(ValueError, match="Expected 1 <= stride <= window"):
        TokenGrid(stride, window)


# Under truncation -----------------------------------------------------------------------------------------------------


def make_encoder(kind: str, cell: str = "lstm", **options: int) -> Encoder:
    return Encoder(SPECS[kind], cell=cell, hidden_size=3, projection_size=4, stem=make_stem(kind, **options)).double()


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("kind", SPECS)
def test_windows_over_tokens_equal_a_slow_loop(kind: str, cell: str) -> None:
    encoder, batch = make_encoder(kind, cell), make_batch(kind)
    tokens = encoder.cut(batch)
    start = torch.tensor([[0, 0], [0, 1], [0, 0], [1, 2], [0, 2], [1, 1], [2, 5]])
    stop = torch.tensor([[1, 1], [1, 1], [1, 0], [2, 2], [2, 2], [2, 2], [4, 6]])
    stop = torch.maximum(start, stop)
    found = encode_windows(encoder, tokens.inputs, start, stop)
    weights = list(encoder.parameters())
    seen, expected = [], []
    for row, length in enumerate(LENGTHS):
        alone = encoder.cut(SequenceBatch(batch.inputs[row : row + 1, :length], torch.tensor([length]))).inputs[0]
        for window in range(2):
            first, end = int(start[row, window]), int(stop[row, window])
            outputs, _ = slow_window(encoder, alone, first, end)
            if outputs is not None:
                seen.append(found.outputs[row, window, : end - first])
                expected.append(outputs)
    assert_same(seen, expected)
    names = [name for name, _ in encoder.named_parameters()]
    own, other = (torch.cat(parts).sin().sum() for parts in (seen, expected))
    assert_same(gradients(own, weights), gradients(other, weights), names)


def test_a_residual_adds_each_token_to_the_output_of_its_window() -> None:
    """Values and gradients of windows against the plain encoder's outputs and the features of the whole sequence."""
    stem = make_stem("values", size=3)
    encoder = Encoder(SPECS["values"], hidden_size=3, projection_size=None, stem=stem, residual=True).double()
    plain = Encoder(SPECS["values"], cell=encoder.core, stem=stem).double()
    raw = make_batch("values", [17]).inputs
    tokens = encoder.cut(SequenceBatch(raw, torch.tensor([17]))).inputs
    start, stop = torch.tensor([[0, 2]]), torch.tensor([[2, 6]])
    found = encode_windows(encoder, tokens, start, stop)
    features = slow_features(stem, raw[0])
    expected = []
    for first, end in ((0, 2), (2, 6)):
        outputs, _ = slow_window(plain, tokens[0], first, end)
        expected.append(outputs + features[first:end])
    seen = [found.outputs[0, 0, :2], found.outputs[0, 1, :4]]
    assert_same(seen, expected)
    weights = list(encoder.parameters())
    own, other = (torch.cat(parts).sin().sum() for parts in (seen, expected))
    assert_same(gradients(own, weights), gradients(other, weights))
    with pytest.raises(ValueError, match="Expected a stem with residual"):
        Encoder(SPECS["values"], residual=True)


def test_gradient_reaches_the_windows_raw_steps_and_their_context_alone() -> None:
    encoder = make_encoder("values")
    raw = torch.randn(1, 20, 2, dtype=torch.float64, requires_grad=True)
    tokens = encoder.cut(SequenceBatch(raw, torch.tensor([20])))
    outputs = encode_windows(encoder, tokens.inputs, torch.tensor([[3]]), torch.tensor([[5]])).outputs
    (gradient,) = torch.autograd.grad(outputs.sum(), raw)
    reached = (gradient[0] != 0).all(1).nonzero().squeeze(1).tolist()
    context = STRIDE * KERNEL - STRIDE
    assert reached == list(range(3 * STRIDE - context, 5 * STRIDE))


# Auxiliary losses -----------------------------------------------------------------------------------------------------


class ByHand(nn.Module):
    """The core that reads tokens of a stem without context, on raw steps that are laid side by side beforehand."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder, self.channels = encoder, encoder.spec.size

    def forward(self, inputs: Tensor, state: object = None) -> tuple[Tensor, object]:
        tokens = inputs.unflatten(2, (STRIDE, self.channels)).transpose(2, 3)  # (B, N, C, stride)
        return self.encoder(tokens, state)


@pytest.mark.parametrize("of", ["values", "pixels"])
@pytest.mark.parametrize("kind", [Reconstruction, Prediction])
def test_auxiliary_losses_reproduce_the_raw_steps_of_each_token(kind: type, of: str) -> None:
    """Squared errors of values; of pixels the cross-entropy over the levels of every channel of every raw step."""
    lengths = [18, 9, 12]
    batch = make_batch(of, lengths)
    encoder = make_encoder(of, kernel=1)
    options = {"segment_length": 3, "num_anchors": 2, "bptt": 2, "hidden_size": 4, "regulariser": "none"}
    objective = kind(encoder, **options).double()
    spec = SPECS[of]
    beside_spec = InputSpec(spec.kind, spec.size * STRIDE, levels=spec.levels)
    by_hand = kind(ByHand(encoder), beside_spec, cell="lstm", **options).double()
    by_hand.load_state_dict(objective.state_dict())
    raw = batch.inputs.nan_to_num() if of == "values" else batch.inputs
    beside = SequenceBatch(raw.flatten(1).unflatten(1, (-1, spec.size * STRIDE)), batch.lengths // STRIDE)
    (found,) = objective_losses(encoder, batch, [objective], 1.0, step_generator(3))
    (expected,) = objective_losses(ByHand(encoder), beside, [by_hand], 1.0, step_generator(3))
    assert found.count == expected.count
    assert_same([found.total], [expected.total])
    assert_same(
        gradients(found.total, list(encoder.parameters())), gradients(expected.total, list(encoder.parameters()))
    )


@pytest.mark.parametrize("kind", ["pixels", "characters"])
def test_symbols_and_levels_of_the_next_token_are_said_one_by_one(kind: str) -> None:
    """Against a loop over anchors, tokens and raw steps, for lengths that are no multiple of a stride."""
    lengths = [17, 4, 10, 1]
    encoder, batch, spec = make_encoder(kind), make_batch(kind, lengths), SPECS[kind]
    options = {"num_anchors": 2, "segment_length": 3, "num_layers": 0, "regulariser": "none", "bptt": None}
    objective = Prediction(encoder, **options).double()
    (found,) = objective_losses(encoder, batch, [objective], 1.0, step_generator(5))
    segments = objective.draw(encoder.grid.count(batch.lengths), step_generator(5)).segments
    expected, count = torch.zeros((), dtype=torch.float64), 0
    for row, length in enumerate(lengths):
        raw = batch.inputs[row, :length]
        tokens = encoder.cut(SequenceBatch(raw[None], torch.tensor([length]))).inputs[0]
        for anchor, steps in zip(segments.anchor[row].tolist(), segments.length[row].tolist(), strict=True):
            outputs, _ = slow_window(encoder, tokens, anchor, anchor + steps)
            for place in range(steps):
                count += 1
                said = objective.decoder.head.net(outputs[place]).view(STRIDE, -1)  # of each raw step of a token
                for step, one in enumerate(raw[(anchor + 1 + place) * STRIDE :][:STRIDE]):
                    for channel, true in enumerate(one.reshape(-1)):  # a character has one
                        logits = said[step].view(-1, spec.levels if kind == "pixels" else spec.size)[channel]
                        expected = expected - logits.log_softmax(0)[int(true)]
                if kind == "pixels":  # what completes the last token counts as black
                    for step in range(max(length - (anchor + 1 + place) * STRIDE, 0), STRIDE):
                        levels = said[step].view(spec.size, spec.levels)
                        expected = expected - levels.log_softmax(1)[:, 0].sum()
    assert found.count == count
    weights = [*encoder.parameters(), *objective.parameters()]
    assert_same([found.total], [expected])
    assert_same(gradients(found.total, weights), gradients(expected, weights))


@pytest.mark.parametrize("kind", ["pixels", "characters"])
@pytest.mark.parametrize("objective", [Reconstruction, Prediction])
def test_auxiliary_losses_on_tokens_of_other_kinds_are_finite_and_reach_the_stem(objective: type, kind: str) -> None:
    encoder, batch = make_encoder(kind), make_batch(kind)
    loss = objective(encoder, segment_length=3, hidden_size=4, regulariser="none").double()
    (found,) = objective_losses(encoder, batch, [loss], 0.5, step_generator(0))
    assert found.count > 0
    assert torch.isfinite(found.total)
    found.total.backward()
    assert encoder.features.convolution.weight.grad.abs().sum() > 0


def test_nothing_is_said_behind_the_end_of_a_text() -> None:
    """The last token of a text holds characters that are not there; a loss of each that is there alone."""
    encoder = make_encoder("characters")
    objective = Prediction(encoder, segment_length=9, num_layers=0, regulariser="none", bptt=None).double()
    batch = SequenceBatch(torch.tensor([[0, 1, 2, 3]]), torch.tensor([4]))  # two tokens, the second of one character
    with torch.no_grad():
        for layer in (objective.decoder.head.net.second,):
            layer.weight.zero_()
            layer.bias.zero_()
    (found,) = objective_losses(encoder, batch, [objective], 1.0, step_generator(0))
    assert found.total.item() == pytest.approx(torch.tensor(6.0).log().item())  # one character among six alike


@pytest.mark.parametrize("of", ["values", "pixels", "characters"])
def test_what_is_kept_for_the_gradient_does_not_grow_with_the_length(of: str) -> None:
    """Bytes that autograd keeps of all losses under stem and readout of all steps, ten times the length.

    So long that no greatest output lies in a window that was drawn, which would not be run again.
    """
    kept = []
    for steps in (3000, 30000):
        encoder, spec = make_encoder(of).float(), SPECS[of]
        auxiliaries = {
            "predict": Prediction(encoder, num_anchors=2, segment_length=4, hidden_size=4),
            "reconstruct": Reconstruction(encoder, num_anchors=2, segment_length=4, hidden_size=4),
        }
        windows = {"num_windows": 3, "top_windows": 2, "anchor_weight": 0.5}
        model = SequenceClassifier(encoder, 2, auxiliaries, bptt=8, readout="stats-max", windows=windows)
        shape = (3, steps) if of == "characters" else (3, steps, spec.size)
        inputs = torch.randn(shape) if of == "values" else torch.randint(spec.size, shape)
        inputs = inputs.to(torch.uint8) if of == "pixels" else inputs
        batch = SequenceBatch(inputs, torch.full((3,), steps), torch.tensor([0, 1, 1]))
        held: dict[int, torch.UntypedStorage] = {}  # so that no place is taken twice

        def keep(tensor: Tensor, held: dict[int, torch.UntypedStorage] = held) -> Tensor:
            if tensor.is_floating_point():  # places of characters may be views of the batch, which is there anyway
                held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model.losses(batch, ["supervised", *auxiliaries], 1.0, step_generator(0))
        kept.append(sum(storage.nbytes() for storage in held.values()))
    assert kept[1] == kept[0]


# Mel bands ------------------------------------------------------------------------------------------------------------

LIBROSA_FILTERS = [  # librosa 0.11.0: filters.mel(sr=16000, n_fft=16, n_mels=5), float32
    [0.0, 2.232417136838194e-05, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0016671594930812716, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0007962774834595621, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.00017635084805078804, 0.000595265009906143, 0.0002577228005975485, 0.0, 0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0, 3.288147854618728e-05, 0.00023386791872326285, 0.00035902668605558574, 0.00023935110948514193,
     0.00011967555474257097, 0.0],
]  # fmt: skip

LIBROSA_BANDS = {  # and feature.melspectrogram(y=x, sr=8000, n_fft=200, hop_length=80, center=False, n_mels=6)
    0: [9.607858783883177, 1.5815711821463643, 0.1349854567684383, 1.762333736015555, 0.0081399715921686, 1.07e-10],
    2: [9.607920768641304, 1.581543643994577, 0.13499166685067598, 1.7623286062463484, 0.008141386181451955, 1.76e-10],
}


def test_filters_are_librosas() -> None:
    torch.testing.assert_close(
        mel_filters(16_000, 16, 5), torch.tensor(LIBROSA_FILTERS, dtype=torch.float64), rtol=1e-6, atol=1e-10
    )


def make_logmel(bands: int = 6, rate: int = 8000) -> LogMelStem:
    torch.manual_seed(3)
    return LogMelStem(InputSpec("values", 1), 4, rate=rate, bands=bands).double()


def test_bands_are_librosas() -> None:
    stem, steps = make_logmel(), torch.arange(400, dtype=torch.float64)
    sound = (steps * 0.3).sin() + 0.5 * (steps * 1.1).cos()
    assert (stem.grid.stride, stem.grid.window) == (80, 200)
    for frame, expected in LIBROSA_BANDS.items():
        piece = sound[80 * frame : 80 * frame + 200].view(1, 1, 1, 200)
        power = stem.numbers(piece)[0, 0].exp() - QUIET
        torch.testing.assert_close(power[:5], torch.tensor(expected[:5], dtype=torch.float64), rtol=2e-5, atol=0)


def test_frames_are_torchs_short_time_fourier_transform() -> None:
    stem = make_logmel()
    sound = torch.randn(1, 1000, 1, dtype=torch.float64)
    tokens = stem.grid.cut(SequenceBatch(sound, torch.tensor([1000])), stem.spec).inputs
    whole = functional.pad(sound[..., 0], (120, -1000 % 80))
    window = torch.hann_window(200).double()
    spectrum = torch.stft(whole, 200, 80, window=window, center=False, return_complex=True)  # (1, bins, N)
    expected = (stem.filters @ spectrum.abs().square()[0] + QUIET).log().T
    torch.testing.assert_close(stem.numbers(tokens)[0], expected, rtol=1e-9, atol=1e-9)


def test_silence_is_finite_and_other_kinds_are_refused() -> None:
    stem = make_logmel()
    assert torch.isfinite(stem(torch.zeros(1, 2, 1, 200, dtype=torch.float64))).all()
    with pytest.raises(ValueError, match="Expected values for a stem of mel bands, got pixels"):
        LogMelStem(SPECS["pixels"], 4, rate=8000)
