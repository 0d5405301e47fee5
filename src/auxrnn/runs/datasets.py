"""The data of a run, whether a preset or a person's own files; and what a trained model keeps of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from auxrnn.config import RunConfig
from auxrnn.data.catalogue import load
from auxrnn.data.dataset import SequenceData, TrainTest
from auxrnn.data.options import DataOptions
from auxrnn.data.presets import PRESETS, is_own
from auxrnn.errors import InputError, did_you_mean
from auxrnn.own.loading import load_own
from auxrnn.own.roles import with_roles
from auxrnn.own.rows import Form
from auxrnn.own.stored import UNFIT, form_of
from auxrnn.own.unlabelled import read_unlabelled, read_without_label
from auxrnn.preprocessing import Preprocessing
from auxrnn.reading import ReadingOptions
from auxrnn.targets import Target

FOR_OWN = ("limit_train", "limit_test")


@dataclass(frozen=True)
class RunData:
    """sequences: to learn from and to test on. preprocessing: what was done to the raw ones, None for pixels of a
    preset. facts: what the model keeps to read others like them. findings: lines to show before training. unlabelled:
    for the auxiliary losses alone.
    """

    sequences: TrainTest
    preprocessing: Preprocessing | None
    facts: dict[str, Any]
    findings: tuple[str, ...] = ()
    unlabelled: SequenceData | None = None


def run_name(config: RunConfig) -> str:
    """The folder of a run that was given none."""
    name = Path(config.data).resolve().stem if is_own(config.data) else config.data
    return f"runs/{name}-{config.model}-{config.seed}"


def load_data(config: RunConfig) -> RunData:
    """The data of a run; InputError for options that mean nothing for them."""
    options = DataOptions.of_run(config)
    if not is_own(config.data):
        if config.data not in PRESETS:
            raise InputError(
                f"{config.data}: expected a file, a folder or one of {', '.join(PRESETS)}, found nothing there."
                f"{did_you_mean(config.data, PRESETS)}"
            )
        if config.unlabelled is not None:
            raise InputError(f"{config.data}: expected no --unlabelled, which is for files of your own; leave it out.")
        for name in config.reading.given:
            raise InputError(f"{config.data}: expected no --{name}, which is for files of your own; leave it out.")
        sequences = load(config.data, config.data_dir, options, seed=config.seed)
        characters = sequences.test.characters
        preprocessing = Preprocessing("characters", characters=characters) if characters else None
        told = options.to_dict()
        return RunData(sequences, preprocessing, {"data_options": told} if told else {}, _namesake(config.data))
    for name in options.to_dict():
        if name not in FOR_OWN:
            raise InputError(f"{config.data}: expected no {name} for files of your own; leave {name} out.")
    own = load_own(
        Path(config.data),
        config.reading,
        limit_train=config.limit_train,
        limit_test=config.limit_test,
        validation_fraction=config.validation_fraction,
        seed=config.seed,
    )
    facts = {"own": {"form": asdict(own.form), "reading": own.options.to_dict(), **options.to_dict()}}
    parts = []
    if own.options.no_label == "learn":
        parts.append((config.data, read_without_label(Path(config.data), own.form, own.options)))
    if config.unlabelled is not None:
        parts.append((config.unlabelled, read_unlabelled(Path(config.unlabelled), own.form, own.options)))
    if not parts:
        return RunData(own.sequences, own.preprocessing, facts, own.findings)
    further, lines = [], []
    for name, rows in parts:
        found = [own.preprocessing.sequence(row.sequence, row.where) for row in rows]
        lines.append(f"Unlabelled  {len(found):,} sequences of {name}, for the auxiliary losses")
        further += found
    unlabelled = SequenceData(" and ".join(name for name, _ in parts), own.train.spec, further)
    return RunData(own.sequences, own.preprocessing, facts, (*own.findings, *lines), unlabelled)


def _namesake(preset: str) -> tuple[str, ...]:
    """A line for whoever means the file or folder of that name before them."""
    if not Path(preset).exists():
        return ()
    return (f"Note        {preset} is the preset of that name; the files that lie here are ./{preset}",)


def source_of(facts: Mapping[str, Any]) -> tuple[Form, ReadingOptions] | None:
    """What a model's facts say of the files it was trained on; None where those were a preset's."""
    content = facts.get("own")
    if content is None:
        return None
    try:
        return form_of(content["form"]), ReadingOptions.from_dict(content["reading"])
    except UNFIT as error:
        raise InputError(
            f"Expected a model whose facts say under own how its data were read, got {str(content)[:90]!r}: {error}."
        ) from error


def load_again(
    data: str,
    facts: Mapping[str, Any],
    data_dir: str | None,
    preprocessing: Preprocessing | None,
    target: Target | None = None,
) -> TrainTest:
    """A set as a trained model needs it: read and prepared as its own training data were.

    target: the model's own, whose learned numbers are used.
    """
    try:
        options, seed = DataOptions.from_dict(facts.get("data_options", {})), int(facts.get("seed", 0))
    except (TypeError, ValueError, AttributeError) as error:  # InputError is a ValueError
        raise InputError(f"{data}: expected the data options that the model was trained with: {error}") from error
    if not is_own(data):
        return load(data, data_dir, options, seed=seed)
    source = source_of(facts)
    reading = ReadingOptions() if source is None else with_roles(source[1], source[0].columns)
    limit = None if source is None else facts["own"].get("limit_test")
    return load_own(
        Path(data), reading, limit_test=limit, seed=seed, preprocessing=preprocessing, target=target
    ).sequences
