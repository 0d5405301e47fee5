"""The sections of a page that look into trained models: mistakes, where the evidence lies, what the memory holds, how
far the gradient reaches.

One model an arm, its first finished run. Knows nothing of the page around them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from auxrnn.core.model import Classifier, SequenceClassifier
from auxrnn.errors import InputError
from auxrnn.experiments.arms import StoredArm, StoredRun
from auxrnn.experiments.diagnosis import STRETCHES, scores_without, spread_places
from auxrnn.experiments.mistakes import Asked, mistakes
from auxrnn.experiments.probes import gradient_norms, memory_probe
from auxrnn.experiments.wrong_answers import MOST, wrong_answers
from auxrnn.report.figures import Point, draw_images, draw_points
from auxrnn.report.page import Cell, Figure, Section, Table
from auxrnn.runs.datasets import check_same_test, load_data
from auxrnn.runs.use import early_scores
from auxrnn.sources.dataset import SequenceData, TrainTest
from auxrnn.sources.options import DataOptions
from auxrnn.targets import SCORES
from auxrnn.use.opening import open_model
from auxrnn.use.persistence import SavedModel

PROBED_STEPS = 2_000_000
"""Steps of test sequences that are looked through for mistakes at most."""

EARLY_STEPS = 200_000
"""Steps of test sequences at most that are asked about early, or in part; six to eight times as many are read."""

REACH = 2_048
"""Steps that the gradient is followed back at most."""

UNITS = {
    "pixels": "root mean square error, pixels from 0 to 1",
    "values": "root mean square error in deviations of each channel",
    "characters": "share of wrong characters",
}
"""What the error of a reproduced step is, by the kind of the steps."""

Opened = tuple[StoredRun, SavedModel, SequenceData]


LOG = logging.getLogger(__name__)


def probe_sections(arms: list[StoredArm], data_dir: str | None, *, answers: bool = True) -> list[Section]:
    """What is inside the first finished run of each arm. answers: also single sequences, the score before the end of a
    sequence and the score without a part of it.
    """
    models: dict[str, Opened] = {}
    tests: dict[Any, TrainTest] = {}  # one set for all arms that read the same
    missing = []
    for arm in arms:
        if not arm.finished:
            continue
        run = arm.finished[0]
        config = replace(run.config, data_dir=data_dir or run.config.data_dir)
        read = (config.data, config.data_dir, config.seed, config.validation_fraction, config.reading)
        key = (*read, DataOptions.of_run(config))
        LOG.info("Reading the test set of %s ...", arm.name)
        try:
            loaded = tests[key] if key in tests else load_data(config).sequences
            saved = open_model(run.folder.path)
            check_same_test(saved.facts, loaded)
        except InputError as error:
            missing.append(f"{arm.name}: its test set could not be read, so its model is not looked into. {error}")
            continue
        tests[key] = loaded
        models[arm.name] = (run, saved, loaded.test)
    if not models:
        return [Section("Inside the models", missing)] if missing else []
    order = [arm.name for arm in arms]
    sections = _mistakes(models, missing, answers=answers)
    asked = {"How soon it answers": _early, "Where the evidence lies": _evidence} if answers else {}
    parts = {**asked, "What the memory holds": _memory, "How far the gradient reaches": _gradients}
    for title, part in parts.items():
        LOG.info("%s ...", title)
        found = part(models, order, title)
        if found is not None:
            sections.append(found)
    return sections


PANELS = (
    "Of each: the sequence; below it what a stream says after so many steps; at the bottom what is answered to the "
    "whole sequence where that part alone is blanked (mean values, black pixels, unknown characters): where a line "
    "leaves its last height above, the answer rests on that part."
)


def _sample(data: SequenceData, count: int) -> SequenceData:
    """At most `count` sequences, evenly over the set."""
    return data.subset(spread_places(len(data), count))


def _longer(data: SequenceData) -> SequenceData:
    """The longer half of sequences of unequal lengths, in which there is something to look back on."""
    return data.subset((data.lengths >= data.lengths.median()).nonzero().squeeze(1))


def _mistakes(models: dict[str, Opened], missing: list[str], *, answers: bool) -> list[Section]:
    """Tables and figures over the test set, and the sequences that were answered wrong."""
    tables: list[Table] = []
    figures: list[Figure] = []
    drawn: list[Figure] = []
    told = []
    for index, (name, (run, saved, test)) in enumerate(models.items()):
        LOG.info("Mistakes of %s ...", name)
        places = spread_places(len(test), max(PROBED_STEPS // int(test.lengths.max()), 10))
        part = test.subset(places)
        whole = "the whole test set" if len(part) == len(test) else f"{len(part):,} of {len(test):,} test sequences"
        asked = Asked(index, f"{name}, seed {run.config.seed}", saved, part, whole, places)
        found = mistakes(asked)
        tables += found.tables
        figures += found.figures
        if answers:
            LOG.info("Sequences that %s got wrong ...", name)
            words, more = wrong_answers(asked, found, max(MOST // len(models), 1))
            told.append(words)
            drawn += more
    sections = [Section("Mistakes", missing, tables, figures)]
    return [*sections, Section("Sequences that it got wrong", [*told, PANELS], (), drawn)] if answers else sections


def _early(models: dict[str, Opened], order: list[str], title: str) -> Section | None:
    """The score against the share of each sequence that was read."""
    return _asked(
        models,
        order,
        title,
        "early",
        "when the first part alone of each sequence has been read: what a stream says at that moment",
        "share of each sequence that was read, %",
        lambda network, part: {f"{share:.0%}": (share, one) for share, one in early_scores(network, part).items()},
    )


def _evidence(models: dict[str, Opened], order: list[str], title: str) -> Section | None:
    """The score without one stretch of each sequence."""

    def without(network: Classifier, part: SequenceData) -> dict[str, tuple[float, float]]:
        return {
            f"{index + 1}/{STRETCHES}": ((index + 0.5) / STRETCHES, score)
            for index, score in enumerate(scores_without(network, part))
        }

    told = "where one stretch of each sequence is blanked; it falls where the answers rest on that stretch"
    return _asked(models, order, title, "evidence", told, "middle of the blanked stretch, % of each sequence", without)


Scores = Callable[[Classifier, SequenceData], Mapping[str, tuple[float, float]]]
"""By column of the table: the place on the axis as a share of 1, and the score."""


def _asked(
    models: dict[str, Opened], order: list[str], title: str, name: str, told: str, xlabel: str, scores: Scores
) -> Section | None:
    """A table and a figure of the first score of a part of each sequence, of all models with the first one's score."""
    lines: dict[str, list[Point]] = {}
    rows: list[list[Cell | str]] = []
    name_of_score, sizes, columns = "", [], []
    for own, (run, saved, test) in models.items():
        if saved.target.per_step or saved.target.score != (name_of_score or saved.target.score):
            continue
        name_of_score = saved.target.score
        scale = SCORES[name_of_score].scale
        part = _sample(test, max(EARLY_STEPS // int(test.lengths.max()), 10))
        found = scores(saved.network, part)
        columns = list(found)
        lines[own] = [Point(100 * place, scale * score) for place, score in found.values()]
        rows.append([f"{own}, seed {run.config.seed}", *(f"{scale * score:.4g}" for _, score in found.values())])
        sizes.append("the whole test set" if len(part) == len(test) else f"{len(part):,} of {len(test):,} sequences")
    if not lines:
        return None
    unit = SCORES[name_of_score].unit
    drawing = draw_points(lines, title=f"Test {unit}", xlabel=xlabel, ylabel=f"test {unit}", order=order)
    caption = f"Test {unit}, {told}."
    table = Table(caption, ["model", *columns], rows, f"On {', '.join(dict.fromkeys(sizes))}.")
    return Section(title, (), [table], [Figure(caption, drawing, name)])


def _memory(models: dict[str, Opened], order: list[str], title: str) -> Section | None:
    lines: dict[str, list[Point]] = {}
    pictures = []
    unit, near = "", False
    for index, (name, (run, saved, test)) in enumerate(models.items()):
        network = saved.network
        if not isinstance(network, SequenceClassifier) or "reconstruct" not in network.auxiliaries:
            continue
        if saved.config.aux.direction == "future":
            continue  # there is no memory in what it says
        part = _sample(_longer(test), 64)
        stride = network.encoder.stride
        length = min(saved.config.segment_length, -(-int(part.lengths.min()) // stride))
        if length < 2:
            continue  # the first step, or token, of a segment is given
        probe = memory_probe(network, part)
        distances = [stride * distance for distance in probe.distances]
        near = near or saved.config.aux.placement == "near"
        unit = UNITS[test.spec.kind]
        lines[name] = [Point(*pair) for pair in zip(distances, probe.errors, strict=True)]
        lines[f"{name}: mean of the data"] = [Point(*pair) for pair in zip(distances, probe.baseline, strict=True)]
        if probe.originals is None or probe.recalled is None or probe.asked is None:
            continue
        rows = {"shown": probe.originals}
        rows |= {f"{distance} later": images for distance, images in zip(distances, probe.recalled, strict=True)}
        nothing = np.zeros_like(probe.asked[:1])
        drawing = draw_images(
            rows,
            title=f"{name}: what the state holds",
            levels=saved.spec.levels,
            missing=np.concatenate([nothing, ~probe.asked]),
        )
        given = "its first" if stride == 1 else f"its first {stride}"
        caption = (
            f"{name}, seed {run.config.seed}: test images, and what the decoder reproduces of every segment of "
            f"{length * stride} steps, given {given}, from the state so many steps after its end. Shaded: the sequence "
            "ends before that."
        )
        pictures.append(Figure(caption, drawing, f"memory-{index + 1}"))
    if not lines:
        return None
    drawing = draw_points(
        lines, title="Memory against distance", xlabel="steps since the end of the segment", ylabel=unit, order=order
    )
    caption = "Error of what is said, beside that of the mean of the data at the same positions."
    told = (
        "The decoder was trained on segments that end at the anchor (placement near): at any other distance it is "
        "asked what it never learned to say, and a large error there does not show that the state has forgotten."
    )
    return Section(title, [told] if near else (), (), [*pictures, Figure(caption, drawing, "memory-error")])


def _gradients(models: dict[str, Opened], order: list[str], title: str) -> Section | None:
    lines: dict[str, list[Point]] = {}
    marks: dict[str, float] = {}
    everywhere = []
    for name, (_, saved, test) in models.items():
        if not isinstance(saved.network, SequenceClassifier):
            continue  # no state goes from step to step
        if saved.network.supervised.reads_all:
            everywhere.append(f"{name} is left out: its head reads all steps, so the gradient comes to each directly.")
            continue
        part = _sample(_longer(test), 16)
        batch = part.batch(range(len(part)))
        stride = saved.network.encoder.stride
        norms = gradient_norms(saved.network, batch, min(-(-int(batch.lengths.min()) // stride), REACH))
        lines[name] = [Point(stride * distance, norm) for distance, norm in enumerate(norms, 1) if norm > 0]
        if isinstance(saved.config.bptt, int) and 0 < saved.config.bptt < len(norms):
            unit = "" if stride == 1 else f" tokens of {stride} steps"
            marks.setdefault(f"K = {saved.config.bptt}{unit}", stride * saved.config.bptt)
    if not lines:
        return Section(title, everywhere) if everywhere else None
    caption = (
        "Norm of the gradient of the supervised loss with respect to the state so many steps before the end, mean over "
        "16 test sequences at most, as full back-propagation would carry it. A truncated model is trained with what "
        "lies left of its K alone."
    )
    drawing = draw_points(
        lines,
        title="Gradient against distance",
        xlabel="steps before the loss",
        ylabel="norm of the gradient",
        order=order,
        log_y=True,
        mark=marks,
    )
    return Section(title, everywhere, (), [Figure(caption, drawing, "gradient")])
