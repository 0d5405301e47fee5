"""The data of a run, whether a preset or a person's own files; and what a trained model keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from auxrnn.config import RunConfig
from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError, did_you_mean
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.digest import digest_of, share_there
from auxrnn.sources.loading import load_files
from auxrnn.sources.options import DataOptions
from auxrnn.sources.preprocessing import Preprocessing
from auxrnn.sources.presets import PRESETS, path_of
from auxrnn.sources.published import load
from auxrnn.sources.reader import Schema
from auxrnn.sources.stored import UNFIT, schema_of
from auxrnn.sources.unlabelled import read_unlabelled, read_without_label
from auxrnn.targets import Target

FOR_FILES = ("limit_train", "limit_test")
"""Options of a preset that files of one's own have too."""


@dataclass(frozen=True)
class RunData:
    """The data of a run.

    Attributes
    ----------
    sequences : TrainTest
        To learn from and to test on.
    preprocessing : Preprocessing, optional
        What was done to the raw ones; None for pixels of a preset.
    facts : dict
        What the model keeps to read others like them.
    findings : tuple of str
        Lines to show before training.
    unlabelled : SequenceData, optional
        For the auxiliary losses alone.
    path : Path, optional
        Of a person's own files; None for a preset.
    """

    sequences: TrainTest
    preprocessing: Preprocessing | None
    facts: dict[str, Any]
    findings: tuple[str, ...] = ()
    unlabelled: SequenceData | None = None
    path: Path | None = None


def run_name(config: RunConfig) -> str:
    """The folder of a run that was given none."""
    path = path_of(config.data)
    return f"runs/{config.data if path is None else path.resolve().stem}-{config.model}-{config.seed}"


def load_data(config: RunConfig) -> RunData:
    """The data of a run; InputError for options that mean nothing for them."""
    path = path_of(config.data)
    return _load_preset(config) if path is None else _load_files(path, config)


def _load_preset(config: RunConfig) -> RunData:
    if config.data not in PRESETS:
        raise InputError(
            f"{config.data}: expected a file, a folder or one of {', '.join(PRESETS)}, found nothing there."
            f"{did_you_mean(config.data, PRESETS)}"
        )
    for name in [*(["unlabelled"] if config.unlabelled is not None else []), *config.reading.given]:
        raise InputError(f"{config.data}: expected no --{name}, which is for files of your own; leave it out.")
    options = DataOptions.of_run(config)
    sequences = load(config.data, config.data_dir, options, seed=config.seed)
    characters = sequences.test.characters
    preprocessing = Preprocessing("characters", characters=characters) if characters else None
    told = options.to_dict()
    return RunData(sequences, preprocessing, {"data_options": told} if told else {}, _namesake(config.data))


def _load_files(path: Path, config: RunConfig) -> RunData:
    options = DataOptions.of_run(config).to_dict()
    for name in options:
        if name not in FOR_FILES:
            raise InputError(f"{config.data}: expected no {name} for files of your own; leave {name} out.")
    loaded = load_files(
        path,
        config.reading,
        limit_train=config.limit_train,
        limit_test=config.limit_test,
        validation_fraction=config.validation_fraction,
        seed=config.seed,
    )
    schema, preprocessing, findings = loaded.schema, loaded.preprocessing, loaded.findings
    facts = {"own": {"form": asdict(schema), "reading": loaded.options.to_dict(), **options}}
    parts = []
    if loaded.options.no_label == "learn":
        parts.append((config.data, read_without_label(path, schema, loaded.options)))
    if config.unlabelled is not None:
        parts.append((config.unlabelled, read_unlabelled(Path(config.unlabelled), schema, loaded.options)))
    further: list[Tensor] = []
    for name, rows in parts:
        found = [preprocessing.sequence(row.sequence, row.where) for row in rows]
        findings += (f"Unlabelled  {len(found):,} sequences of {name}, for the auxiliary losses",)
        further += found
    named = " and ".join(name for name, _ in parts)
    unlabelled = SequenceData(named, loaded.train.spec, further) if parts else None
    return RunData(loaded.sequences, preprocessing, facts, findings, unlabelled, path)


def _namesake(preset: str) -> tuple[str, ...]:
    """A line for whoever means the file or folder of that name before them."""
    if not Path(preset).exists():
        return ()
    return (f"Note        {preset} is the preset of that name; the files that lie here are ./{preset}",)


def source_of(facts: Mapping[str, Any]) -> tuple[Schema, ReadingOptions] | None:
    """What a model's facts say of the files it was trained on; None where those were a preset's."""
    content = facts.get("own")
    if content is None:
        return None
    try:
        return schema_of(content["form"]), ReadingOptions.from_dict(content["reading"])
    except UNFIT as error:
        raise InputError(
            f"Expected a model whose facts say under own how its data were read, got {str(content)[:90]!r}: {error}."
        ) from error


def channel_names(facts: Mapping[str, Any], preprocessing: Preprocessing | None) -> tuple[str, ...]:
    """What a model's training files or frames call the numbers of a step, in their order; none where they do not."""
    source = source_of(facts)
    learned = () if preprocessing is None else preprocessing.channel_names
    return learned if source is None else source[0].channel_names


def load_again(
    data: str,
    facts: Mapping[str, Any],
    data_dir: str | None,
    preprocessing: Preprocessing | None,
    target: Target | None = None,
) -> TrainTest:
    """A set as a trained model needs it: read and prepared as its own training data were.

    Parameters
    ----------
    data : str
        A preset or a path.
    facts : mapping
        What the model keeps of its training data.
    data_dir : str, optional
        The folder of all data sets.
    preprocessing, target
        The model's own, whose learned numbers are used.

    Returns
    -------
    TrainTest
        Of other files than the model's own that name no test split, `whole` is there too.

    Raises
    ------
    InputError
        For facts that do not say how the data were read, for data that cannot be used, and for files of training that
        have changed since: a split drawn anew would have sequences of training in the test.
    """
    try:
        options, seed = DataOptions.from_dict(facts.get("data_options", {})), int(facts.get("seed", 0))
    except (TypeError, ValueError, AttributeError) as error:  # InputError is a ValueError
        raise InputError(f"{data}: expected the data options that the model was trained with: {error}") from error
    path = path_of(data)
    if path is None:
        return load(data, data_dir, options, seed=seed)
    source = source_of(facts)
    reading = ReadingOptions() if source is None else source[1].with_columns(source[0].columns)
    limit = None if source is None else facts["own"].get("limit_test")
    own = path_of(str(facts.get("data")))
    other = own is None or own.resolve() != path.resolve()
    found = load_files(
        path, reading, limit_test=limit, seed=seed, preprocessing=preprocessing, target=target, other=other
    ).sequences
    if not other:
        check_same_test(facts, found)
        return found
    known = facts.get("test_digest")
    if (known is None and source is not None) or known == digest_of([found.test]):
        return replace(found, whole=None)  # files that were moved, or of a model that does not know its own
    if share_there(facts.get("train_sample", ()), found.whole or found.test) > 0.5:
        raise _changed(found.test.name)
    return found


def check_same_test(facts: Mapping[str, Any], found: TrainTest) -> None:
    """InputError where a drawn test split is not the one that a model's facts tell of; older models tell of none."""
    if found.drawn and "test_digest" in facts and facts["test_digest"] != digest_of([found.test]):
        raise _changed(found.test.name)


def _changed(name: str) -> InputError:
    return InputError(
        f"{name}: expected the test sequences of the training, or new ones, found others: the files have changed "
        "since, and a test split drawn anew holds sequences that were trained on. Put them back, or evaluate on new "
        "files alone: auxrnn evaluate RUN --data NEW."
    )
