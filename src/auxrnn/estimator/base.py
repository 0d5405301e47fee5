"""What the estimators share: parameters, training, folders. Arrays in; each says for itself what comes out.

The rooms below do the work: `preprocessing` reads the sequences, `training` trains, `inference` predicts, `persistence`
keeps. `training` loads when something is trained, not before.
"""

from __future__ import annotations

import copy
import logging
import random
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from sklearn.utils.validation import check_is_fitted, validate_data

from auxrnn.config import RunConfig
from auxrnn.core.build import build_model
from auxrnn.errors import FloorWarning, InputError
from auxrnn.estimator.parameters import SequenceParameters
from auxrnn.estimator.settings import AUTO, config_of, parameters_of, remedies
from auxrnn.estimator.stream import SequenceStream
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.preprocessing import Preprocessing, RawSequences, read_sequences
from auxrnn.sources.splits import stratified_split
from auxrnn.targets import KINDS, Labels, Target
from auxrnn.use.hub import push_model
from auxrnn.use.inference import measure
from auxrnn.use.opening import open_model
from auxrnn.use.persistence import SavedModel, save_model
from auxrnn.use.plain_torch import plain_torch
from auxrnn.verdict import Verdict, gather_evidence, judge
from auxrnn.verdict.floors import measure_floors
from auxrnn.verdict.judge import without_commands

if TYPE_CHECKING:
    from auxrnn.training.loop import Fitted
    from auxrnn.training.watcher import Watcher

Array = npt.NDArray[Any]

FEWEST_TO_WARN = 20
"""Validation sequences; with fewer, chance says as much as the network."""

_one_fit = threading.RLock()


class LongSequenceEstimator(SequenceParameters, ABC):
    __doc__ = SequenceParameters.__doc__

    kinds: ClassVar[tuple[str, ...]]
    """Of the targets that this estimator learns."""

    def fit(
        self,
        X: Any,
        y: Any,
        eval_set: tuple[Any, Any] | None = None,
        unlabelled: Any = None,
        watchers: Sequence[Watcher] = (),
    ) -> Self:
        """Train on N sequences.

        Several threads that fit take turns, because torch's random numbers belong to the whole process.

        Parameters
        ----------
        X : array, table or list
            N sequences, in a form that the class describes.
        y : array or list
            Their labels, as the class describes.
        eval_set : tuple (X, y), optional
            Chooses the best epoch, in place of a share of the training data.
        unlabelled : array, table or list, optional
            Further sequences in a form of `X`, which the auxiliary loss alone learns from. `aux` is then "predict"
            where the recipe would choose it.
        watchers : sequence of `auxrnn.training.watcher.Watcher`
            Loggers and callables of your own, which hear of the training but not of the search before it.

        Returns
        -------
        self
            Fitted; an estimator whose `fit` fails stays as it was.

        Raises
        ------
        InputError
            A ValueError: for input or parameters that cannot be used.
        DivergedError
            Where the loss is no longer finite (`auxrnn.training.step`).

        Warns
        -----
        FloorWarning
            Where at least 20 validation sequences say that the model is no better than what costs a second.
        """
        fitted = copy.copy(self)  # what is learned becomes this estimator's own when all is done
        drawn = random.getstate()
        with _one_fit, plain_torch():
            fitted._learn(X, y, eval_set, unlabelled, watchers)
        random.setstate(drawn)  # libraries that load meanwhile draw from it, as rich does
        self.__dict__ = fitted.__dict__
        self._warn_of_floor()  # of what is fitted all the same, where warnings are errors
        return self

    def _learn(
        self, X: Any, y: Any, eval_set: tuple[Any, Any] | None, unlabelled: Any, watchers: Sequence[Watcher]
    ) -> None:
        parameters = self.get_params(deep=False)
        if unlabelled is not None and parameters["aux"] == AUTO and parameters["model"] is None:
            parameters["aux"] = "predict"
        config, given = config_of(parameters)
        if y is None:
            raise InputError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        raw = read_sequences(X)
        target, labels = self._learn_labels(y, raw)
        self._record_features(X, raw)

        held_out, held_out_labels = self._read_eval_set(eval_set, raw.names)
        if held_out is None:
            (raw, labels), (held_out, held_out_labels) = _hold_out(raw, labels, target, config)
        preprocessing = Preprocessing.learn(raw, tuple(map(str, getattr(self, "feature_names_in_", ()))))
        target = target.fitted(labels, "y")
        inputs = preprocessing.prepared(raw)
        characters = preprocessing.characters
        train = SequenceData("X", preprocessing.spec, inputs, labels, target=target, characters=characters)
        train = replace(train, class_weights=self._class_weights(train))
        del raw  # with a part held out it is a copy
        validation = None
        if held_out is not None:
            inputs = preprocessing.prepared(held_out, "X of eval_set")
            validation = replace(train, name="eval_set", inputs=inputs, labels=held_out_labels, class_weights=None)

        beside = None
        if unlabelled is not None:
            inputs = preprocessing.prepared(read_sequences(unlabelled, "unlabelled"), "unlabelled")
            beside = SequenceData("unlabelled", preprocessing.spec, inputs, characters=characters)

        from auxrnn.training.chosen import chosen_by_data
        from auxrnn.training.loop import fit

        with _own_random_numbers(config.accelerator):
            say = print if self.verbose else logging.getLogger(__name__).debug
            config, reasons, tried = chosen_by_data(config, train, given, say, self._tell_duration)
            torch.manual_seed(config.seed)
            network = build_model(config, train.spec, target, int(train.lengths.max()))
            quiet = not self.verbose
            fitted = fit(
                network,
                train,
                validation,
                config.model_config(),
                config,
                quiet=quiet,
                unlabelled=beside,
                watchers=watchers,
            )
            tallies = None if validation is None else measure(network, validation)[2]
        self.history_, self.best_epoch_ = fitted.history, fitted.best_epoch
        self.config_, self.tried_ = config, [*reasons, *tried]
        facts = _facts(target, train, validation, config, fitted)
        self.floors_: dict[str, Any] = {}
        self.verdict_: Verdict | None = None
        if validation is not None and tallies is not None:
            self.floors_, self.verdict_ = self._judge(train, validation, tallies, config)
            facts |= {"floors": self.floors_, "verdict": without_commands(self.verdict_.to_dict())}
        known = {name: fact for name, fact in facts.items() if fact is not None}
        self.model_ = SavedModel(
            network.cpu().eval(),
            config.model_config(),
            train.spec,
            target.names,
            facts=known,
            preprocessing=preprocessing,
        )

    def stream(self) -> SequenceStream:
        """Read one sequence as it comes, in pieces of any size, at constant memory.

        Returns
        -------
        SequenceStream
            With the weights as they are now.

        Raises
        ------
        InputError
            For a network that has to see a sequence as a whole.
        """
        check_is_fitted(self)
        with plain_torch():
            return SequenceStream(self.model_)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json, model.safetensors and README.md into a folder; no pickle.

        The folder keeps the network, the preprocessing and the classes. The settings of training stand in README.md
        alone.

        Parameters
        ----------
        folder : str or Path
            Made where it is missing; an older model in it is replaced.

        Raises
        ------
        InputError
            For labels other than texts and whole numbers, and for a folder that cannot be written to.
        """
        check_is_fitted(self)
        saved = replace(self.model_, label_type=self._label_type())
        try:
            save_model(Path(folder), saved)
        except OSError as error:
            raise InputError(f"{folder}: expected a folder that can be written to: {error}.") from error

    def push_to_hub(self, name: str, *, private: bool = False) -> str:
        """Lay the three files of `save_pretrained` on the hub (extra `hub`), as whom `hf auth login` made known.

        Parameters
        ----------
        name : str
            user/name.
        private : bool
            Whether a new place is visible to its owner alone.

        Returns
        -------
        str
            The address of the model.

        Raises
        ------
        InputError
            As `save_pretrained`, and where the hub does not take the model.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return push_model(Path(folder), name, private=private)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Open a folder of `save_pretrained`, a run of `auxrnn train` or a model on a hub; nothing in it is executed.

        A network of `auxrnn train` reads images as they are in their files: pixels row by row as uint8 steps, whatever
        order it was trained on.

        Parameters
        ----------
        folder : str or Path
            A model folder or a run folder; as a text also user/name, a model on the hub (extra `hub`). What is there
            under that path comes first.

        Returns
        -------
        LongSequenceEstimator
            Fitted, with the settings of training at their defaults.

        Raises
        ------
        InputError
            For a folder that is missing, damaged, of another format, or of a model that another estimator is for.
        """
        saved = open_model(folder)
        if saved.target.kind not in cls.kinds:
            raise InputError(
                f"{folder}: expected a {KINDS[cls.kinds[0]].model_name}, found a {saved.target.model_name}; open it "
                f"with {saved.target.estimator}."
            )
        found = cls(**parameters_of(saved.config))
        found._remember_labels(saved, folder)
        preprocessing = saved.prepares
        found.n_features_in_ = preprocessing.columns or preprocessing.channels
        if preprocessing.column_names:
            found.feature_names_in_ = np.array(preprocessing.column_names, dtype=object)
        best = saved.facts.get("best_epoch")
        found.history_, found.best_epoch_ = [], best if isinstance(best, int) else 0
        floors = saved.facts.get("floors")
        found.floors_, found.verdict_ = floors if isinstance(floors, dict) else {}, None
        found.model_ = replace(saved, preprocessing=preprocessing)
        return found

    def __sklearn_tags__(self) -> Any:
        # input_tags.string stays False: texts come as a list, and an array of mixed objects is still refused.
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        return tags

    def _judge(
        self, train: SequenceData, validation: SequenceData, tallies: torch.Tensor, config: RunConfig
    ) -> tuple[dict[str, Any], Verdict]:
        """Measure the floors, and judge the network by its answers to the validation sequences."""
        floors = measure_floors(train, validation, seed=config.seed)
        evidence = gather_evidence(floors, tallies, "validation", self.history_, len(validation))
        verdict = judge(evidence, remedies(config, train))
        if self.verbose:
            print(*verdict.lines, sep="\n")
        return floors.to_dict(), verdict

    def _tell_duration(self, words: str) -> None:
        """Tell how long a search and a training will take, before they begin."""
        if self.verbose:
            print(f"Time        {words}")
        else:
            logging.getLogger("auxrnn").warning("fit will take %s; verbose=1 shows its progress.", words)

    def _warn_of_floor(self) -> None:
        """Warn where a network with mistakes is not better than the floor, and there are enough sequences to tell."""
        verdict, facts = self.verdict_, self.model_.facts
        flawless = facts.get(f"validation_{self.model_.target.score}") == 1
        if verdict is None or verdict.better or flawless or facts["validation_sequences"] < FEWEST_TO_WARN:
            return
        finding = verdict.findings[0]
        todo = f" Try: {finding.next}" if finding.next else ""
        words = f"{finding.words[:1].upper()}{finding.words[1:]}"
        warnings.warn(f"{words}: {verdict.summary}.{todo}", FloorWarning, stacklevel=3)  # where fit was called

    @property
    def _target(self) -> Target:
        """What the network's outputs stand for."""
        check_is_fitted(self)
        return self.model_.target

    @abstractmethod
    def _learn_labels(self, y: Any, raw: RawSequences) -> tuple[Target, Labels]:
        """The target and the labels of the training data; sets the attributes that tell of them."""

    @abstractmethod
    def _known_labels(self, y: Any, raw: RawSequences, name: str) -> Labels:
        """Further labels in terms of what was learned; InputError for others."""

    def _remember_labels(self, saved: SavedModel, folder: str | Path) -> None:
        """Set the attributes that tell of the labels from a stored model; none by default."""

    def _label_type(self) -> str:
        """What config.json calls the type of the labels."""
        return "str"

    def _class_weights(self, train: SequenceData) -> torch.Tensor | None:
        """Of each class in the loss; all 1 by default."""
        return None

    def _read(self, X: Any) -> SequenceData:
        """Sequences to predict from, as the network reads them."""
        check_is_fitted(self)
        saved = self.model_
        raw = read_sequences(X, names=saved.prepares.channel_names)
        if raw.table and saved.prepares.columns is not None:
            validate_data(self, X, reset=False, skip_check_array=True)
        return SequenceData("X", saved.spec, _in_order(saved.prepares.prepared(raw), saved.pixel_order))

    @contextmanager
    def _network(self) -> Iterator[Any]:
        """The network, on the accelerator where there is one; it stays on the CPU otherwise."""
        network = self.model_.network
        gpu = self.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
        with plain_torch():
            try:
                yield network.to("cuda" if gpu else "cpu")
            finally:
                network.to("cpu")

    def _record_features(self, X: Any, raw: RawSequences) -> None:
        """Set `n_features_in_`, and `feature_names_in_` for a table whose columns have names."""
        if raw.table:
            validate_data(self, X, reset=True, skip_check_array=True)
            return
        self.n_features_in_ = raw.channels
        self.__dict__.pop("feature_names_in_", None)
        if raw.names:
            self.feature_names_in_ = np.array(raw.names, dtype=object)

    def _read_eval_set(self, eval_set: Any, names: tuple[str, ...]) -> tuple[RawSequences | None, Labels | None]:
        if eval_set is None:
            return None, None
        if not (isinstance(eval_set, tuple | list) and len(eval_set) == 2):
            raise InputError(f"Expected eval_set to be a pair (X, y), got {type(eval_set).__name__}.")
        raw = read_sequences(eval_set[0], "X of eval_set", names)
        return raw, self._known_labels(eval_set[1], raw, "y of eval_set")


def _facts(
    target: Target, train: SequenceData, validation: SequenceData | None, config: RunConfig, fitted: Fitted
) -> dict[str, Any]:
    """What the model's card says of its training."""
    return {
        "target": target.kind,
        "train_sequences": len(train),
        "validation_sequences": 0 if validation is None else len(validation),
        "longest_sequence": int(train.lengths.max()),
        "optimizer": config.optimizer,
        "lr": config.lr,
        "batch_size": config.batch_size,
        "epochs": len(fitted.history),
        "best_epoch": fitted.best_epoch or None,
        f"validation_{target.score}": fitted.best_score,
    }


def _hold_out(
    raw: RawSequences, labels: Labels, target: Target, config: RunConfig
) -> tuple[tuple[RawSequences, Labels], tuple[RawSequences | None, Labels | None]]:
    """Sequences and labels to train on, and those of the share that is held out; None where that is empty."""
    kept, other = stratified_split(target.strata(labels), config.validation_fraction, config.seed)
    if not len(other):
        return (raw, labels), (None, None)
    return (raw.subset(kept), _chosen(labels, kept)), (raw.subset(other), _chosen(labels, other))


def _chosen(labels: Labels, indices: torch.Tensor) -> Labels:
    return labels[indices] if isinstance(labels, torch.Tensor) else [labels[index] for index in indices.tolist()]


def _in_order(
    inputs: torch.Tensor | Sequence[torch.Tensor], order: tuple[int, ...] | None
) -> torch.Tensor | Sequence[torch.Tensor]:
    """Step t becomes step order[t], as for the images that the network was trained on."""
    if order is None:
        return inputs
    steps = torch.tensor(order)
    lengths = {inputs.shape[1]} if isinstance(inputs, torch.Tensor) else {len(item) for item in inputs}
    if lengths != {len(order)}:
        raise InputError(f"X: expected sequences of {len(order)} steps as in training, got {sorted(lengths)[:5]}.")
    return inputs[:, steps] if isinstance(inputs, torch.Tensor) else [item[steps] for item in inputs]


@contextmanager
def _own_random_numbers(accelerator: str) -> Iterator[None]:
    """Leaves torch's global random state as it was; a GPU that nothing has used yet is not woken for it."""
    gpus = range(torch.cuda.device_count()) if accelerator != "cpu" or torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=list(gpus)):
        yield
