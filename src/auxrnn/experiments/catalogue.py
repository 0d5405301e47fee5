"""Every table and figure of the paper as data: what is compared, on what, and what was published.

Adding one is adding rows. An arm is a model with settings over those of its scale (`scales`). Lengths are counted in
the paper's steps, `Steps(300)` or `Segments(20, 30)`: a scale with shorter sequences shrinks them. Published numbers
carry their source: "P" read off the paper's own table, figure or caption, "F" measured off a figure (about ±0.1); all
are of Trinh, Dai, Luong and Le (ICML 2018, arXiv 1803.00144). Knows nothing of training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from auxrnn.config import RECIPES
from auxrnn.config.choices import Cell
from auxrnn.config.model import TRACED
from auxrnn.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Steps:
    """A number of steps at the paper's sequence length."""

    number: int


@dataclass(frozen=True)
class Segments:
    """The paper's "n x l": so many segments of so many steps, each at an anchor of its own."""

    count: int
    length: int


@dataclass(frozen=True)
class Times:
    """So many times the scale's own number of epochs in all."""

    factor: float


@dataclass(frozen=True)
class Published:
    """A number of the paper in percent, and where it is read: "P" its own table or text, "F" measured off a figure."""

    value: float
    mark: Literal["P", "F"]


@dataclass(frozen=True)
class Arm:
    """One line of a table: settings of a run (dotted names for the finer ones), and the published number by task.

    control: not in the paper; added because the comparison lacks it.
    """

    name: str
    settings: Mapping[str, Any]
    published: Mapping[str, Published] = field(default_factory=dict)
    control: bool = False


@dataclass(frozen=True)
class Factors:
    """The settings that the arms of an experiment combine, and how they are laid out.

    table: a table for each of its values, whose runs come before those of the next. rows, columns: one for each
    combination of their values. told: columns too, but only arms that are unlike the baseline in them have them in
    their heading.
    """

    table: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    told: tuple[str, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """A table or figure: arms on tasks, each with every seed.

    baseline: the arm that the others are compared with. beside: baselines of arms that differ from it by the same words
    behind a comma, as "LSTM, chrono" of "r-LSTM, chrono"; the page's first lines compare these. measure: "accuracy", or
    "error" for 100 % minus it. costs: also seconds and memory of a step against length. curves: also accuracy in
    training against epochs. differences: bars of the differences from the baseline. inside: arms whose models are
    looked into. factors: tables of combinations in place of a row an arm; every arm gives each factor a value.
    """

    name: str
    title: str
    question: str
    tasks: tuple[str, ...]
    arms: tuple[Arm, ...]
    baseline: str
    beside: tuple[str, ...] = ()
    measure: Literal["accuracy", "error"] = "accuracy"
    costs: bool = False
    curves: bool = False
    differences: bool = False
    inside: tuple[str, ...] = ()
    factors: Factors | None = None

    def fields(self) -> dict[str, list[Arm]]:
        """By baseline the arms that are compared with it: of the same words behind the comma, else the first's."""
        of = {name.partition(", ")[2]: name for name in self.beside}
        fields: dict[str, list[Arm]] = {name: [] for name in (self.baseline, *self.beside)}
        for arm in self.arms:
            fields[of.get(arm.name.partition(", ")[2], self.baseline)].append(arm)
        return fields

    def blocks(self) -> list[tuple[Arm, ...]]:
        """The arms in the stretches whose runs come one after the other: those of a table where there are factors."""
        if self.factors is None:
            return [self.arms]
        values = dict.fromkeys(arm.settings[self.factors.table] for arm in self.arms)
        return [tuple(arm for arm in self.arms if arm.settings[self.factors.table] == value) for value in values]


IMAGES = ("mnist", "pmnist", "cifar10")
CIFAR10_AND_MNIST = ("cifar10", "mnist")  # the paper: CIFAR10 alone
DOG_SIDES = (40, 48, 56, 72, 80, 96, 112, 128)
DOGS = tuple(f"stanford-dogs-{side}" for side in DOG_SIDES)

LSTM = {"model": "lstm", "bptt": Steps(300)}
RECONSTRUCT = {"model": "r-lstm", "bptt": Steps(300), "segments": Segments(1, 600)}
RECONSTRUCT_20X30 = {**RECONSTRUCT, "segments": Segments(20, 30)}
PREDICT = {**RECONSTRUCT, "model": "p-lstm"}
PREDICT_20X30 = {**RECONSTRUCT_20X30, "model": "p-lstm"}
BOTH = {**RECONSTRUCT, "model": "rp-lstm"}
BOTH_20X30 = {**RECONSTRUCT_20X30, "model": "rp-lstm"}
FULL = {"bptt": "full"}
CHRONO = {"initialisation": "tensorflow-chrono"}
TORCH = {"initialisation": "torch", "optimizer": "rmsprop"}
MODERN = {**RECIPES["modern"], "stem": "none", "hidden_size": 128, "projection_size": 128, "num_windows": 2}
MODERN_LAST = {**MODERN, "readout": "last"}


def _published(mark: Literal["P", "F"], tasks: tuple[str, ...], *values: float | None) -> dict[str, Published]:
    return {task: Published(value, mark) for task, value in zip(tasks, values, strict=True) if value is not None}


def _images(*values: float | None) -> dict[str, Published]:
    return _published("P", IMAGES, *values)


TABLE2_ARMS = (
    Arm("LSTM Truncate300", LSTM, _images(11.3, 88.8, 49.0)),
    Arm("LSTM Full BP", {**LSTM, **FULL}, _images(98.3, 89.4, 58.8)),
    Arm("r-LSTM Truncate300", RECONSTRUCT, _images(96.4, 92.8, 65.9)),
    Arm("r-LSTM 20x30 Truncate300", RECONSTRUCT_20X30, control=True),
    Arm("p-LSTM Truncate300", PREDICT, _images(95.4, 92.5, 64.7)),
    Arm("p-LSTM 20x30 Truncate300", PREDICT_20X30, control=True),
    Arm("rp-LSTM Truncate300", BOTH, control=True),
    Arm("rp-LSTM 20x30 Truncate300", BOTH_20X30, control=True),
)
"""The paper's comparison, and the many short segments that it found best; each also with chrono gates."""

TABLE2 = Experiment(
    "table2",
    "Table 2 and 3: images as sequences of pixels",
    "Does an auxiliary loss let a truncated LSTM keep up with full back-propagation, or pass it?",
    IMAGES,
    (
        *TABLE2_ARMS,
        *(Arm(f"{arm.name}, chrono", {**arm.settings, **CHRONO}, control=True) for arm in TABLE2_ARMS),
        Arm("r-LSTM Full BP", {**RECONSTRUCT, **FULL}, _images(98.4, 95.2, 72.2)),
        Arm("p-LSTM Full BP", {**PREDICT, **FULL}, _images(98.0, 92.8, 67.6)),
        Arm("Transformer", {"model": "transformer", **TORCH}, _images(98.9, 97.9, 62.2)),  # TensorFlow's: at chance
        Arm("iRNN", {"model": "irnn", **FULL}, _images(97.0, 82.0, None)),
        Arm("iRNN, learning rate 0.00003", {"model": "irnn", **FULL, "lr": 3e-5}, control=True),  # 0.001 diverges
        Arm("uRNN", {"model": "urnn", **FULL}, _images(95.1, 91.4, None)),
        Arm("GRU Truncate300", {**LSTM, "cell": "gru"}, control=True),
        Arm("LSTM Truncate300, 3 times the epochs", {**LSTM, "epochs": Times(3)}, control=True),  # r 20x30's seconds
        Arm("LSTM Truncate300, torch's initialisation and RMSProp", {**LSTM, **TORCH}, control=True),
        Arm("r-LSTM 20x30 Truncate300, torch's initialisation and RMSProp",
            {**RECONSTRUCT_20X30, **TORCH}, control=True),
        Arm("LSTM Truncate300, modern at stride 1", {**MODERN, **LSTM}, control=True),
        Arm("r-LSTM 20x30 Truncate300, modern at stride 1", {**MODERN, **RECONSTRUCT_20X30}, control=True),
        Arm("p-LSTM 20x30 Truncate300, modern at stride 1", {**MODERN, **PREDICT_20X30}, control=True),
        Arm("LSTM Truncate300, modern but the last output", {**MODERN_LAST, **LSTM}, control=True),
        Arm("r-LSTM 20x30 Truncate300, modern but the last output",
            {**MODERN_LAST, **RECONSTRUCT_20X30}, control=True),
    ),
    baseline="LSTM Truncate300",
    beside=(
        *("LSTM Truncate300, chrono", "LSTM Truncate300, torch's initialisation and RMSProp"),
        *("LSTM Truncate300, modern at stride 1", "LSTM Truncate300, modern but the last output"),
    ),
    curves=True,
    inside=("LSTM Truncate300", "r-LSTM 20x30 Truncate300", "LSTM Full BP"),
)  # fmt: skip


def _dogs(*values: float | None) -> dict[str, Published]:
    return _published("F", DOGS, *values)


STANFORD_DOGS = Experiment(
    "dogs",
    "Stanford Dogs: accuracy and cost against length",
    "What becomes of accuracy, time and memory as sequences grow from 1,600 to 16,384 steps?",
    DOGS,
    (
        Arm("LSTM Full BP", {**LSTM, **FULL}, _dogs(3.8, 2.9, 2.1, 1.5, 1.9, 1.1, 1.0, None)),
        Arm("Transformer", {"model": "transformer", **TORCH}, _dogs(11.8, 10.3, 6.8, 4.4, 2.9, 1.9, None, None)),
        Arm("r-LSTM", RECONSTRUCT, _dogs(6.8, 6.2, 5.8, 4.9, 4.9, 4.0, 3.35, 3.7)),
        Arm("p-LSTM", PREDICT, _dogs(6.5, 6.8, 5.75, 6.5, 4.2, 4.6, 2.95, 2.1)),
        Arm("r-LSTM 20x30", RECONSTRUCT_20X30, _dogs(10.4, 9.8, 9.0, 8.9, 8.2, 7.3, 5.0, 4.9)),
        Arm("LSTM Truncate300", LSTM, control=True),
    ),
    baseline="LSTM Truncate300",
    costs=True,
)

DOG_SECONDS: Mapping[str, Mapping[int, float]] = {
    "r-LSTM": {1600: 2.0, 3136: 3.0, 5184: 5.0, 6400: 4.0, 9216: 4.4, 12544: 6.0, 16384: 6.9},
    "r-LSTM 20x30": {1600: 0.9, 3136: 1.4, 5184: 2.1, 6400: 3.8, 9216: 4.3, 12544: 4.5, 16384: 6.7},
    "p-LSTM": {1600: 2.8, 3136: 4.3, 5184: 3.6, 6400: 4.8, 9216: 4.8, 12544: 6.1, 16384: 8.0},
    "LSTM Full BP": {1600: 3.4, 3136: 5.7, 5184: 10.1, 6400: 12.3, 9216: 19.0, 12544: 26.4},
}
"""Published seconds a batch by steps, measured off a figure; the paper's hardware is unknown."""


def _dbpedia(error: float) -> dict[str, Published]:
    return {"dbpedia": Published(error, "P")}


TEXT = {"bptt": Steps(100), "segments": Segments(1, 300)}
DBPEDIA = Experiment(
    "dbpedia",
    "DBpedia, characters: test error",
    "Are the auxiliary losses ahead of pretraining as autoencoder or language model (Dai & Le 2015) on text?",
    ("dbpedia",),
    (
        Arm("LM-LSTM", {"model": "lm-lstm", **TEXT}, _dbpedia(4.04)),
        Arm("SA-LSTM", {"model": "sa-lstm", **TEXT}, _dbpedia(3.89)),
        Arm("r-LSTM 20x15", {**RECONSTRUCT, **TEXT, "segments": Segments(20, 15)}, _dbpedia(3.84)),
        Arm("p-LSTM", {**PREDICT, **TEXT}, _dbpedia(2.85)),
        Arm("LSTM", {**LSTM, **TEXT}, control=True),
        Arm("LSTM, chrono", {**LSTM, **TEXT, **CHRONO}, control=True),
    ),
    baseline="LSTM",
    measure="error",
)


def _cifar10(mark: Literal["P", "F"], accuracy: float) -> dict[str, Published]:
    return {"cifar10": Published(accuracy, mark)}


SHRINKING = (Steps(300), Steps(200), Steps(100), Steps(50), 1, 0)
BPTT = Experiment(
    "bptt",
    "Shrinking the supervised window",
    "How little supervised back-propagation is enough beside an auxiliary loss? At 0 the labels train the classifier "
    "alone.",
    CIFAR10_AND_MNIST,
    tuple(
        Arm(f"{name} BPTT {steps.number if isinstance(steps, Steps) else steps}",
            {**settings, "bptt": steps, "aux.bptt": Steps(300)}, _cifar10("F", accuracy))
        for name, settings, accuracies in (
            ("r-LSTM", RECONSTRUCT, (65.9, 63.1, 60.4, 57.6, 46.0, 37.5)),
            ("p-LSTM", PREDICT, (64.7, 62.2, 60.4, 58.4, 47.0, 34.9)),
        )
        for steps, accuracy in zip(SHRINKING, accuracies, strict=True)
    ),
    baseline="r-LSTM BPTT 300",
)  # fmt: skip

SEGMENTS = Experiment(
    "segments",
    "Several segments at one cost",
    "Is it better to spend n x l = 600 decoder steps on one long segment or on many short ones?",
    CIFAR10_AND_MNIST,
    tuple(
        Arm(f"{count}x{length} BPTT {bptt}",
            {**RECONSTRUCT, "bptt": bptt, "aux.bptt": Steps(300),
             "segments": Segments(count, length)},
            _cifar10("P", accuracy))
        for bptt, accuracies in ((1, (46.0, 46.0, 48.0, 47.7, 47.2, 46.2)), (0, (37.4, 40.6, 41.6, 41.0, 40.1, 37.9)))
        for (count, length), accuracy in zip(
            ((1, 600), (10, 60), (20, 30), (50, 12), (100, 6), (200, 3)), accuracies, strict=True
        )
    ),
    baseline="1x600 BPTT 1",
)  # fmt: skip


def _lost(points: float) -> dict[str, Published]:
    return _cifar10("F", -points)


ABLATION = Experiment(
    "ablation",
    "One factor of r-LSTM changed at a time",
    "Which parts of the method carry it? Whether the paper's middle factors are parts switched off or replaced is not "
    "known; each arm says what we did.",
    CIFAR10_AND_MNIST,
    (
        Arm("r-LSTM", RECONSTRUCT),
        Arm("joint training: labels alone after pretraining", {**RECONSTRUCT, "aux.joint": False}, _lost(3.6)),
        Arm("scheduled sampling: true inputs always fed",
            {**RECONSTRUCT, "aux.truth_start": 1.0, "aux.truth_end": 1.0}, _lost(3.4)),
        Arm("pretraining: none", {**RECONSTRUCT, "pretrain": False}, _lost(2.9)),
        Arm("predict future: the decoder reproduces what follows the anchor",
            {**RECONSTRUCT, "aux.direction": "future"}, _lost(1.8)),
        Arm("distant past: segments anywhere before the anchor",
            {**RECONSTRUCT, "aux.placement": "distant"}, _lost(1.7)),
        Arm("project input: no projection", {**RECONSTRUCT, "projection_size": None}, _lost(1.5)),
        Arm("reversed reconstruction", {**RECONSTRUCT, "aux.order": "reversed"}, _lost(1.2)),
        Arm("second decoder layer: one layer", {**RECONSTRUCT, "aux.decoder_layers": 1}, _lost(1.0)),
        Arm("target: softmax over levels", {**RECONSTRUCT, "aux.target": "softmax"}, control=True),
        Arm("target: squared error", {**RECONSTRUCT, "aux.target": "squared"}, control=True),
        Arm("anchors: one in each of n equal stretches",
            {**RECONSTRUCT_20X30, "aux.anchors": "stratified"}, control=True),
        Arm("anchors: uniform, 20x30", RECONSTRUCT_20X30, control=True),
        Arm("anchors: the end of the sequence", {**RECONSTRUCT, "aux.anchors": "end"}, control=True),
        Arm("anchors: the later half more often", {**RECONSTRUCT, "aux.anchors": "late"}, control=True),
        Arm("K counts the decoder's steps too", {**RECONSTRUCT, "aux.reach": "shared"}, control=True),
        Arm("gradient K steps back from the anchor", {**RECONSTRUCT, "aux.reach": "bptt"}, control=True),
        Arm("scheduled sampling: true inputs never fed",
            {**RECONSTRUCT, "aux.truth_start": 0.0, "aux.truth_end": 0.0}, control=True),
        Arm("scheduled sampling: inverse sigmoid",
            {**RECONSTRUCT, "aux.truth_schedule": "inverse_sigmoid"}, control=True),
        Arm("a withheld input is the decoder's own step", {**RECONSTRUCT, "aux.unfed": "model"}, control=True),
        Arm("a withheld input is blank", {**RECONSTRUCT, "aux.unfed": "blank"}, control=True),
        Arm("gradient clipping: none", {**RECONSTRUCT, "gradient_clip": None}, control=True),
        Arm("learning rate: falls as a cosine", {**RECONSTRUCT, "lr_schedule": "cosine"}, control=True),
        Arm("initialisation: torch's", {**RECONSTRUCT, "initialisation": "torch"}, control=True),
        Arm("initialisation: TensorFlow's with chrono gates", {**RECONSTRUCT, **CHRONO}, control=True),
        Arm("optimizer: torch's RMSProp", {**RECONSTRUCT, "optimizer": "rmsprop"}, control=True),
        Arm("LSTM", LSTM, control=True),
        Arm("p-LSTM", PREDICT, control=True),
        Arm("rp-LSTM", BOTH, control=True),
    ),
    baseline="r-LSTM",
    differences=True,
)  # fmt: skip

CURVES = Experiment(
    "curves",
    "Optimisation and regularisation: train and test accuracy against steps",
    "Do the auxiliary losses help to fit the training data, to generalise, or both?",
    ("cifar10",),
    (
        Arm("r-LSTM", RECONSTRUCT, _cifar10("F", 65.9)),
        Arm("p-LSTM", PREDICT, _cifar10("F", 64.8)),
        Arm("LSTM", {**LSTM, **FULL}, _cifar10("F", 58.9)),
        Arm("LSTM Truncate300", LSTM, control=True),
    ),
    baseline="LSTM",
    curves=True,
)

TRAIN_ACCURACY: Mapping[str, Published] = {
    "r-LSTM": Published(65.0, "F"),
    "p-LSTM": Published(64.7, "F"),
    "LSTM": Published(60.7, "F"),
}
"""Published final accuracy on the training set beside the arms of `curves`."""

INITIALISATION = Experiment(
    "initialisation",
    "Initialisation and what it acts with",
    "Which factor decides whether a truncated LSTM learns at all?",
    ("mnist",),
    tuple(
        Arm(f"{name}, {initialisation}, {optimizer}, projection {size or 'none'}, {regulariser}",
            {**settings, "initialisation": initialisation, "optimizer": optimizer, "projection_size": size,
             "regulariser": regulariser}, control=True)
        for name, settings in (("LSTM", LSTM), ("r-LSTM 20x30", RECONSTRUCT_20X30))
        for initialisation in ("torch", "tensorflow", "forget", "chrono")
        for size in (128, None)
        for optimizer in ("rmsprop", "rmsprop_tf", "adamw")
        for regulariser in ("dropconnect", "none")
    ),
    baseline="LSTM, tensorflow, rmsprop_tf, projection 128, dropconnect",
    factors=Factors("model", ("initialisation", "projection_size"), ("optimizer", "regulariser")),
)  # fmt: skip
"""forget and chrono: torch's initialisation with those gates, which shows the gates' part in TensorFlow's."""

THROUGH_ALL = {**LSTM, **FULL}
IN_PIECES = {**LSTM, "bptt": Steps(78), "gradient": "fptt"}
ADAM = {"optimizer": "adamw", "weight_decay": 0.0}
WAYS: Mapping[str, Mapping[str, Any]] = {
    "truncated": LSTM,
    "truncated, chrono": {**LSTM, **CHRONO},
    "truncated, Adam": {**LSTM, **ADAM},
    "r 20x30": RECONSTRUCT_20X30,
    "p 20x30": PREDICT_20X30,
    "rp 20x30": BOTH_20X30,
    "checkpointed": {**THROUGH_ALL, "gradient": "checkpointed"},
    "exact": {**THROUGH_ALL, "gradient": "exact"},
    "exact, chrono": {**THROUGH_ALL, **CHRONO, "gradient": "exact"},
    "exact, chrono, phases to 1": {**THROUGH_ALL, **CHRONO, "gradient": "exact", "max_phase": 1.0},
    "fptt": {**IN_PIECES, **ADAM},
    "fptt, lr 0.0003": {**IN_PIECES, **ADAM, "lr": 3e-4},
    "fptt, RMSProp": IN_PIECES,
}
"""To a gradient: windows, with each auxiliary loss beside them, and the rivals. Forward propagation through time has
about ten pieces and Adam, as its authors have it (Kag & Saligrama 2021, their code); under the recipe's RMSProp it is
far behind, and where statistics are read the whole rate kills the units of the head in some ten batches. Windows with
Adam tell the optimiser's part. A minGRU remembers few steps unless its gates are chrono's."""

CELLS: tuple[Cell, ...] = ("lstm", "gru", "lru", "mingru", "ur-lstm")
READOUTS = ("last", "stats")


def _serves(way: str, cell: Cell) -> bool:
    """Whether there is such a way to the gradient of a cell."""
    return (not way.startswith("exact") or cell in TRACED) and ("max_phase" not in WAYS[way] or cell == "lru")


RIVALS = Experiment(
    "rivals",
    "Rivals: cells, gradients and auxiliary losses",
    "Which cell, gradient and auxiliary loss go together, with the last output read or statistics of all?",
    ("mnist", "pmnist", "cifar10", "fsdd", "dbpedia-characters"),
    tuple(
        Arm(f"{cell}, {way}, {readout}",
            {"gradient": "truncated", **settings, "cell": cell, "readout": readout}, control=True)
        for readout in READOUTS
        for way, settings in WAYS.items()
        for cell in CELLS
        if _serves(way, cell)
    ),
    baseline="lstm, truncated, last",
    factors=Factors(
        "readout", ("cell",), ("model", "gradient"), told=("initialisation", "optimizer", "lr", "max_phase")
    ),
)  # fmt: skip

EXPERIMENTS: Mapping[str, Experiment] = {
    experiment.name: experiment
    for experiment in (TABLE2, STANFORD_DOGS, DBPEDIA, BPTT, SEGMENTS, ABLATION, CURVES, INITIALISATION, RIVALS)
}


def find_experiment(name: str) -> Experiment:
    """The experiment called `name`; InputError with the nearest right name where there is none."""
    if name not in EXPERIMENTS:
        raise InputError(
            f"Expected an experiment among {', '.join(EXPERIMENTS)}, got {name!r}.{did_you_mean(name, EXPERIMENTS)}"
        )
    return EXPERIMENTS[name]
