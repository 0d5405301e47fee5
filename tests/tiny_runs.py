"""Trainings of a few steps for the tests, and the same training written as one obvious loop."""

import math
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import torch

from auxrnn.config import AuxiliaryConfig, ModelConfig, TrainingConfig
from auxrnn.core.anchors import step_generator
from auxrnn.core.batch import InputSpec
from auxrnn.core.build import build_model
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.training.checkpoints import find_checkpoints, is_whole
from auxrnn.training.interrupt import InterruptedRun
from auxrnn.training.loop import fit
from auxrnn.training.order import BatchOrder
from auxrnn.training.step import STEP_KEY
from auxrnn.training.watcher import TensorBoardCurve
from spawned import FORKED

SPEC = InputSpec("pixels", size=1, levels=4)
STEPS = 8
MODEL = ModelConfig(
    model="rp-lstm", bptt=3, hidden_size=5, projection_size=3, num_anchors=2, segment_length=4, dropout=0.5
)
TRAINING = TrainingConfig(
    pretrain_epochs=2, max_epochs=3, batch_size=8, lr=0.01, accelerator="cpu", checkpoint_steps=1, seed=7
)
"""With the 20 training sequences: 3 steps an epoch of 8, 8 and 4 sequences, 6 steps to pretrain, 9 to train."""


TARGETS = {
    "class": ClassTarget(("low", "high")),
    "classes": ClassesTarget(("low", "high")),
    "value": ValueTarget(("level",), (1.5,), (0.5,)),
    "tags": TagsTarget(("low", "high")),
}


def make_data(name="train", size=20, *, unequal=False, steps=STEPS, target="class"):
    """Levels that lean to the label, so that something can be learned."""
    generator = torch.Generator().manual_seed(len(name))
    labels = torch.arange(size) % 2
    levels = torch.randint(0, 3, (size, steps, 1), generator=generator) + labels.view(-1, 1, 1)
    inputs = levels.to(torch.uint8)
    lengths = [1 + (3 * index) % steps if unequal else steps for index in range(size)]
    sequences = [row[:length] for row, length in zip(inputs, lengths, strict=True)] if unequal else inputs
    said = {
        "class": labels,
        "classes": torch.stack([1 - labels, labels], dim=1),
        "value": levels.double().mean(1),
        "tags": [(row[:length, 0] > 1).long() for row, length in zip(levels, lengths, strict=True)],
    }
    return SequenceData(name, SPEC, sequences, said[target], target=TARGETS[target])


def make_model(config=MODEL, *, init=0, target="class"):
    torch.manual_seed(init)
    return build_model(config, SPEC, TARGETS[target])


def train_tiny(
    folder=None,
    *,
    model=None,
    config=MODEL,
    training=TRAINING,
    validation=True,
    unequal=False,
    resume=None,
    init=0,
    size=20,
    held_out=7,
    steps=STEPS,
    target="class",
    unlabelled=None,
):
    """(weights, curve without seconds, what fit returned) of one training."""
    model = make_model(config, init=init, target=target) if model is None else model
    shape = {"unequal": unequal, "steps": steps, "target": target}
    train = make_data(size=size, **shape)
    held_out = make_data("validation", held_out, **shape) if validation else None
    with without_tensorboard():
        fitted = fit(
            model, train, held_out, config, training, folder=folder, resume=resume, quiet=True, unlabelled=unlabelled
        )
    return weights_of(model), without_seconds(fitted.history), fitted


def without_tensorboard():
    """It takes longer to load than these trainings take."""
    return patch.object(TensorBoardCurve, "is_installed", lambda: False)


def weights_of(model):
    return {name: weight.detach().clone() for name, weight in model.state_dict().items()}


def without_seconds(rows):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def assert_same_weights(found, expected):
    assert found.keys() == expected.keys()
    different = [name for name in expected if not torch.equal(found[name], expected[name])]
    assert not different


def newest(folder):
    """(phase, path) of the newest whole checkpoint, or None."""
    found = [(phase, path) for phase, _, path in find_checkpoints(folder / "checkpoints") if is_whole(path)]
    return found[0] if found else None


def resume_tiny(folder, **options):
    """Go on from the newest checkpoint as another process would: other first weights, another global random state."""
    torch.manual_seed(random.randrange(10**9))
    return train_tiny(folder, resume=newest(folder), init=random.randrange(10**9), **options)


# The same training as one loop ----------------------------------------------------------------------------------------


def obvious_training(model, config, training, *, rates, clip, optimizer, weight_of):
    """All phases on the 20 training sequences with nothing of ours but the losses and the keys of the random numbers.

    rates: learning rate of each step, by phase. weight_of: factor on each loss by name. Trains `model` in place.
    """
    data = make_data()
    auxiliaries = list(config.auxiliaries)
    plan = [(auxiliaries, training.pretrain_epochs), (["supervised", *auxiliaries], training.max_epochs)]
    per_epoch = math.ceil(len(data) / training.batch_size)
    total = per_epoch * sum(epochs for _, epochs in plan)
    before = 0
    for phase, (names, epochs) in enumerate(plan):
        parts = [model.supervised if name == "supervised" else model.auxiliaries[name] for name in names]
        mine = {id(weight) for part in (model.encoder, *parts) for weight in part.parameters()}
        used = [weight for weight in model.parameters() if id(weight) in mine]
        stepper = optimizer(used)
        order = BatchOrder(len(data), training.batch_size, seed=training.seed, phase=phase)
        step = 0
        for epoch in range(epochs):
            order.set_epoch(epoch)
            for indices in order:
                generator = step_generator(STEP_KEY, training.seed, phase, step, 0)
                torch.manual_seed(generator.initial_seed())
                start, end = config.aux.truth_start, config.aux.truth_end
                share = start + (end - start) * (before + step) / total
                losses = model.losses(data.batch(indices), names, share, generator)
                loss = sum(weight_of(name) * losses[name].mean for name in names)
                stepper.zero_grad()
                loss.backward()
                if clip is not None:
                    torch.nn.utils.clip_grad_norm_(used, clip)
                for group in stepper.param_groups:
                    group["lr"] = rates[phase][step]
                stepper.step()
                step += 1
        before += step


# In a process of its own ----------------------------------------------------------------------------------------------


def start_child(function, *arguments):
    """Run a function of this module in a fresh process."""
    child = FORKED.Process(target=function, args=arguments)
    child.start()
    return child


def child_trains(folder, training):
    """Train, or go on from the newest checkpoint; leaves with 0 when finished and 64 + signal when asked to stop."""
    torch.set_num_threads(1)
    (folder / "started").touch()
    try:
        weights, rows, _ = (
            resume_tiny(folder, training=training) if newest(folder) else train_tiny(folder, training=training)
        )
    except InterruptedRun as stopped:
        sys.exit(64 + stopped.signum)
    torch.save((weights, rows), folder / "finished.pt")


def child_reports(terminal, folder):
    """Train with a report on the terminal of that name."""
    torch.set_num_threads(1)
    descriptor = os.open(terminal, os.O_RDWR)
    for standard in (1, 2):
        os.dup2(descriptor, standard)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    os.environ["TERM"] = "xterm"
    os.environ.pop("COLUMNS", None)
    config, training = MODEL, replace(TRAINING, pretrain_epochs=1, max_epochs=2)
    with without_tensorboard():
        fit(make_model(), make_data(), make_data("validation", 7), config, training, folder=Path(folder))
    sys.stdout.flush()


def quiet_aux(**options):
    """Auxiliary options without the schedule, so that a shorter training is the beginning of a longer one."""
    return AuxiliaryConfig(truth_start=0.5, truth_end=0.5, **options)
