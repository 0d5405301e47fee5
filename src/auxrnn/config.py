"""Every setting of a run, as plain frozen dataclasses: what the command line, the YAML file and a run folder hold.

Imports no torch, so that the command line can show its options at once. Components take plain arguments; only what
builds, trains, saves or wraps a whole model reads these.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from auxrnn.errors import InputError, did_you_mean
from auxrnn.reading import ReadingOptions

MODELS: dict[str, tuple[str, ...]] = {
    "lstm": (),
    "r-lstm": ("reconstruct",),
    "p-lstm": ("predict",),
    "rp-lstm": ("reconstruct", "predict"),
    "sa-lstm": ("reconstruct",),
    "lm-lstm": ("predict",),
    "transformer": (),
    "irnn": (),
    "urnn": (),
}
"""Models by name, and the auxiliary objectives of each."""

MOST_LAYERS = 1000
"""Of anything: each is an object of its own, and a damaged file may ask for millions."""

OWN_CORE = ("transformer", "irnn", "urnn")
"""Models that are no matter of `cell`."""

AUXILIARY_DEFAULTS: dict[str, Any] = {
    "anchors": "uniform",
    "reach": "segment",
    "truth_schedule": "linear",
    "decoder_layers": 2,
    "prediction_layers": 1,
    "joint": True,
}
MODEL_DEFAULTS: dict[str, dict[str, Any]] = {
    "sa-lstm": {"anchors": "end", "reach": "bptt", "truth_schedule": "constant", "decoder_layers": 1, "joint": False},
    "lm-lstm": {"prediction_layers": 0, "joint": False},
}
"""What stands for an option of the auxiliary losses that is left out, and where a model has its own."""


@dataclass(frozen=True)
class AuxiliaryConfig:
    """The finer options of the auxiliary losses. The paper is silent on every one marked (?).

    Where "left out" has two answers, the second is that of sa-lstm or lm-lstm, as Dai & Le (2015) have it.

    Args:
        weight: factor of the auxiliary loss in the sum (the paper: 1).
        joint: whether the auxiliary losses go on after pretraining, beside the labels (the paper: yes); yes when left
            out, no for sa-lstm and lm-lstm.
        bptt: truncation of the auxiliary losses; the model's own `bptt` when left out.
        anchors: where anchors lie among the positions that fit: "uniform"; "end", all at the last; "late", the later
            the likelier; "stratified", one in each of `num_anchors` equal stretches. Uniform when left out, end for
            sa-lstm (?).
        direction: whether a reconstructed segment lies before its anchor ("past") or behind it ("future").
        placement: where a reconstructed segment lies: it touches the anchor, or anywhere on that side of it (?).
        order: the order in which a segment is reproduced.
        reach: how far the reconstruction gradient goes back: min(bptt, segment) steps ("segment"), bptt steps, or what
            the decoder's own steps leave of bptt ("shared"). Segment when left out, bptt for sa-lstm (?).
        target: softmax over levels or characters, or squared error; softmax where defined when left out (?).
        unfed: what stands where a true input is withheld: the decoder's own step ("model"), or nothing ("blank") (?).
        truth_start: share of true inputs fed to the reconstruction decoder at the start of training (?).
        truth_end: the share at the end (?).
        truth_schedule: how it moves in between (Bengio et al. 2015): linear, inverse_sigmoid, exponential, or constant
            at its start. Linear when left out, constant for sa-lstm (?).
        decoder_layers: layers of the reconstruction decoder; 2 (the paper) when left out, 1 for sa-lstm.
        prediction_layers: layers of the net that predicts; at 0 its head reads the main network itself. 1 when left
            out, 0 for lm-lstm (?).
        decoder_hidden_size: cells of the decoders; the model's own hidden size when left out.
    """

    weight: float = 1.0
    joint: bool | None = None
    bptt: int | Literal["full"] | None = None
    anchors: Literal["uniform", "end", "late", "stratified"] | None = None
    direction: Literal["past", "future"] = "past"
    placement: Literal["near", "distant"] = "near"
    order: Literal["forward", "reversed"] = "forward"
    reach: Literal["segment", "bptt", "shared"] | None = None
    target: Literal["softmax", "squared"] | None = None
    unfed: Literal["model", "blank"] = "model"
    truth_start: float = 1.0
    truth_end: float = 0.0
    truth_schedule: Literal["linear", "inverse_sigmoid", "exponential", "constant"] | None = None
    decoder_layers: int | None = None
    prediction_layers: int | None = None
    decoder_hidden_size: int | None = None

    def __post_init__(self) -> None:
        _check_types(self, AuxiliaryConfig, "aux.")
        _at_least("aux.weight", self.weight, 0)
        _at_least("aux.bptt", self.bptt, 0)
        for name, least in (("decoder_layers", 1), ("prediction_layers", 0)):
            _at_least(f"aux.{name}", getattr(self, name), least)
            _at_most(f"aux.{name}", getattr(self, name), MOST_LAYERS)
        _at_least("aux.decoder_hidden_size", self.decoder_hidden_size, 1)
        for name in ("truth_start", "truth_end"):
            _within(f"aux.{name}", getattr(self, name), 0, 1)

    def filled(self, model: str) -> AuxiliaryConfig:
        """The options as they are in effect for a model of that name: what is left out has its default."""
        defaults = {**AUXILIARY_DEFAULTS, **MODEL_DEFAULTS.get(model, {})}
        return replace(self, **{name: value for name, value in defaults.items() if getattr(self, name) is None})


@dataclass(frozen=True)
class TransformerConfig:
    """The sizes of a transformer. The paper says no more of them than "comparable size".

    The defaults have about the weights of an LSTM of 128 cells with its projection to 128.

    Args:
        layers: encoder layers.
        width: size of a step within it.
        heads: attention heads; they share the width.
        feed_forward: units of each layer's feed-forward net.
        positions: sinusoidal, for any length; or learned, up to the longest training sequence.
        causal: whether a step sees only those before it; the last step answers then, else the mean of all.
        dropout: the share dropped behind attention and feed-forward nets, and of the inputs.
    """

    layers: int = 3
    width: int = 64
    heads: int = 4
    feed_forward: int = 256
    positions: Literal["learned", "sinusoidal"] = "sinusoidal"
    causal: bool = False
    dropout: float = 0.1

    def __post_init__(self) -> None:
        _check_types(self, TransformerConfig, "transformer.")
        for name in ("layers", "width", "heads", "feed_forward"):
            _at_least(f"transformer.{name}", getattr(self, name), 1)
        _at_most("transformer.layers", self.layers, MOST_LAYERS)
        _within("transformer.dropout", self.dropout, 0, 0.95)
        if self.width % self.heads:
            raise InputError(
                f"Expected transformer.width to be a multiple of transformer.heads, got {self.width} and {self.heads}."
            )
        if self.positions == "sinusoidal" and self.width % 2:
            raise InputError(f"Expected an even transformer.width with sinusoidal positions, got {self.width}.")


@dataclass(frozen=True)
class ModelConfig:
    """What the network is.

    Args:
        model: lstm, or with reconstruction (r-lstm), prediction (p-lstm) or both (rp-lstm); pretrained as a sequence
            autoencoder (sa-lstm) or a language model (lm-lstm) and then trained on the labels alone (Dai & Le 2015);
            transformer; irnn (Le et al. 2015); urnn (Arjovsky et al. 2016).
        bptt: truncation of the supervised loss in steps; "full" for all of them, 0 trains the classifier only. A
            transformer always reads all of them.
        cell: recurrent cell of the main network and the decoders; transformer, irnn and urnn have their own.
        hidden_size: cells of the main network; a urnn's are complex. A transformer's size is its `width`.
        projection_size: size to which a step is projected; none when null.
        num_layers: layers of the main network.
        initialisation: torch's own, a forget bias of 1 ("forget"), or chrono (Tallec & Ollivier 2018) over the longest
            training sequence (?).
        identity_scale: of an irnn: the recurrent weights begin as so many times the identity.
        num_anchors: random anchors a sequence and step (n).
        segment_length: steps reconstructed or predicted at each anchor (l).
        regulariser: what is dropped on the second layer of the output nets.
        dropout: the share dropped there.
        aux: finer options of the auxiliary losses.
        transformer: sizes of a transformer.
    """

    model: Literal["lstm", "r-lstm", "p-lstm", "rp-lstm", "sa-lstm", "lm-lstm", "transformer", "irnn", "urnn"] = (
        "r-lstm"
    )
    bptt: int | Literal["full"] = 300
    cell: Literal["lstm", "gru", "rnn"] = "lstm"
    hidden_size: int = 128
    projection_size: int | None = 128
    num_layers: int = 1
    initialisation: Literal["torch", "forget", "chrono"] = "torch"
    identity_scale: float = 1.0
    num_anchors: int = 1
    segment_length: int = 600
    regulariser: Literal["dropconnect", "dropout", "none"] = "dropconnect"
    dropout: float = 0.5
    aux: AuxiliaryConfig = field(default_factory=AuxiliaryConfig)
    transformer: TransformerConfig = field(default_factory=TransformerConfig)

    def __post_init__(self) -> None:
        _check_types(self, ModelConfig)
        _at_least("bptt", self.bptt, 0)
        for name in ("hidden_size", "projection_size", "num_layers", "num_anchors", "segment_length"):
            _at_least(name, getattr(self, name), 1)
        _at_most("num_layers", self.num_layers, MOST_LAYERS)
        _within("dropout", self.dropout, 0, 0.95)
        _at_least("identity_scale", self.identity_scale, 0)
        if self.model in OWN_CORE and self.cell != "lstm":
            raise InputError(f"Expected no cell with model {self.model}, which has its own, got {self.cell}.")
        if self.model == "urnn" and self.num_layers > 1:
            raise InputError(f"Expected num_layers 1 with model urnn, got {self.num_layers}.")
        if self.initialisation != "torch" and (self.cell == "rnn" or self.model in OWN_CORE):
            got = self.model if self.model in OWN_CORE else self.cell
            raise InputError(
                f"Expected cell lstm or gru with initialisation {self.initialisation}, got {got}: no gates."
            )

    @property
    def auxiliaries(self) -> tuple[str, ...]:
        return MODELS[self.model]

    @property
    def auxiliary_options(self) -> AuxiliaryConfig:
        """`aux` as it is in effect for this model."""
        return self.aux.filled(self.model)

    def model_config(self) -> ModelConfig:
        """This part of a larger config, alone."""
        return ModelConfig(**{item.name: getattr(self, item.name) for item in fields(ModelConfig)})


@dataclass(frozen=True)
class TrainingConfig:
    """How a network is trained.

    Args:
        pretrain_epochs: epochs on the auxiliary losses alone, before training (0 for a model without).
        max_epochs: epochs on the labels and the auxiliary losses together.
        batch_size: sequences a step (a device).
        optimizer: by name.
        lr: learning rate (the paper: 0.001).
        lr_schedule: constant, step (divided by 10 after each third) or cosine (to 0), over the steps of each phase (?).
        gradient_clip: largest norm of the gradient; none when null (?).
        patience: stop when validation accuracy has not risen for so many epochs; never when null.
        class_weights: "balanced" makes every class count as much as any other in the supervised loss.
        validation_fraction: share of the training data kept for choosing the best epoch, stratified; at 0 the last is.
        seed: of everything random.
        accelerator: auto, cpu, gpu.
        devices: how many.
        num_nodes: machines.
        strategy: Lightning's name, for example ddp.
        precision: Lightning's name, for example 32-true or bf16-mixed.
        num_threads: CPU threads of a process; torch's own choice when null. One is the default, for two beside a busy
            neighbour can slow a step many times over, and the same bits come out on every machine of one kind.
        num_workers: loader processes.
        checkpoint_steps: save every so many steps; never when null.
        checkpoint_minutes: and every so many minutes; never when null.
    """

    pretrain_epochs: int = 5
    max_epochs: int = 20
    batch_size: int = 128
    optimizer: Literal["rmsprop", "adam", "adamw", "sgd"] = "rmsprop"
    lr: float = 1e-3
    lr_schedule: Literal["constant", "step", "cosine"] = "constant"
    gradient_clip: float | None = 1.0
    patience: int | None = None
    class_weights: Literal["none", "balanced"] = "none"
    validation_fraction: float = 0.1
    seed: int = 0
    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    num_threads: int | None = 1
    num_workers: int = 0
    checkpoint_steps: int | None = 500
    checkpoint_minutes: float | None = 10.0

    def __post_init__(self) -> None:
        _check_types(self, TrainingConfig)
        for name in ("pretrain_epochs", "max_epochs", "seed", "num_workers"):
            _at_least(name, getattr(self, name), 0)
        if self.seed >= 2**63:
            raise InputError(f"Expected seed below 2**63, got {self.seed}.")
        for name in ("batch_size", "devices", "num_nodes", "num_threads", "patience", "checkpoint_steps"):
            _at_least(name, getattr(self, name), 1)
        for name in ("lr", "gradient_clip", "checkpoint_minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise InputError(f"Expected {name} above 0, got {value}.")
        _within("validation_fraction", self.validation_fraction, 0, 0.9)


@dataclass(frozen=True)
class RunConfig(TrainingConfig, ModelConfig):
    """Everything of one run: the data, the network, the training.

    Args:
        data: a preset, as `auxrnn data list` shows them, or the path of a file, a folder or an imported set.
        data_dir: folder of the data; else $AUXRNN_DATA_DIR, else the user's cache folder.
        limit_train: use only so many training sequences, stratified and seeded.
        out: the run folder; runs/DATA-MODEL-SEED when left out.
        limit_test: test on so many sequences only, stratified and seeded.
        limit_classes: the first so many classes only, to train and to test.
        image_size: side of square images in pixels, made by area averaging; as they are when null.
        grey: colour images as one channel of luminance.
        max_length: texts: cut longer ones at so many characters (the run says how many it touches).
        max_vocabulary: texts: know the most frequent so many characters of the training texts; all when null.
        reading: how files of one's own are read; `--text NAME` is short for `--reading.text NAME`, and so for all.
    """

    data: str = "digits"
    data_dir: str | None = None
    limit_train: int | None = None
    out: str | None = None
    limit_test: int | None = None
    limit_classes: int | None = None
    image_size: int | None = None
    grey: bool = False
    max_length: int | None = None
    max_vocabulary: int | None = None
    reading: ReadingOptions = field(default_factory=ReadingOptions)

    def __post_init__(self) -> None:
        _check_types(self, RunConfig)
        ModelConfig.__post_init__(self)
        TrainingConfig.__post_init__(self)
        for name in ("limit_train", "limit_test", "image_size", "max_length", "max_vocabulary"):
            _at_least(name, getattr(self, name), 1)
        _at_least("limit_classes", self.limit_classes, 2)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


GROUPS: dict[str, type] = {"aux": AuxiliaryConfig, "transformer": TransformerConfig, "reading": ReadingOptions}
"""The settings that are groups of settings."""


def with_groups(settings: dict[str, Any]) -> dict[str, Any]:
    """Plain settings, as files hold them, with their groups as what the configs take; a group may be left out."""
    return settings | {name: group(**settings[name]) for name, group in GROUPS.items() if name in settings}


def _check_types(config: Any, owner: type, where: str = "") -> None:
    """Let every field that `owner` declares hold what it declares, wherever the values came from."""
    for item in fields(owner):
        object.__setattr__(config, item.name, checked_setting(owner, item.name, getattr(config, item.name), where))


@cache
def _hints(owner: type) -> dict[str, Any]:
    return get_type_hints(owner)


def checked_setting(owner: type, name: str, value: Any, where: str = "") -> Any:
    """A value as the field `name` of the dataclass `owner` declares it; whole and real numbers become Python's own."""
    hint = _hints(owner)[name]
    if hint in GROUPS.values() and isinstance(value, hint):
        return value
    members = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    choices = [choice for member in members if get_origin(member) is Literal for choice in get_args(member)]
    if value is None and NoneType in members:
        return None
    if isinstance(value, str) and (value in choices or str in members):
        return value
    if isinstance(value, bool):
        if bool in members:
            return value
    else:
        if int in members and isinstance(value, Integral):
            return int(value)
        if float in members and isinstance(value, Real) and math.isfinite(value):
            return float(value)
    words = {int: "a whole number", float: "a finite number", str: "a text", bool: "true or false", NoneType: "None"}
    words |= dict.fromkeys(GROUPS.values(), "a group of options")
    expected = [*(repr(choice) for choice in choices), *(words[member] for member in members if member in words)]
    near = did_you_mean(value, choices) if isinstance(value, str) else ""
    raise InputError(f"Expected {where}{name} to be {' or '.join(expected)}, got {value!r}.{near}")


def steps_or_none(bptt: int | Literal["full"]) -> int | None:
    """A truncation length as the components take it: None for "full"."""
    return None if bptt == "full" else bptt


def _at_least(name: str, value: object, least: int) -> None:
    if isinstance(value, int | float) and not value >= least:
        raise InputError(f"Expected {name} of at least {least}, got {value}.")


def _at_most(name: str, value: object, most: int) -> None:
    if isinstance(value, int | float) and not value <= most:
        raise InputError(f"Expected {name} of at most {most}, got {value}.")


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InputError(f"Expected {name} between {low} and {high}, got {value}.")
