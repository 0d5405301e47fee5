"""A step on random input trains every kind of model on every kind of input."""

import pytest
import torch

from auxrnn.config import ModelConfig
from auxrnn.core.batch import InputSpec
from auxrnn.experiments import random_step


@pytest.mark.parametrize("spec", [InputSpec("pixels", 3), InputSpec("values", 3), InputSpec("characters", 7)])
def test_a_step_changes_every_weight(spec, monkeypatch):
    made = []
    build = random_step.build_model
    monkeypatch.setattr(random_step, "build_model", lambda *given: made.append(build(*given)) or made[-1])
    config = ModelConfig(hidden_size=4, projection_size=4, bptt=4, segment_length=6)
    step = random_step.model_step(config, spec, batch_size=2, steps=9, classes=3)
    before = [weight.detach().clone() for weight in made[0].parameters()]
    step()
    changed = [not torch.equal(old, new) for old, new in zip(before, made[0].parameters(), strict=True)]
    assert sum(changed) >= len(changed) - 1  # not every character need occur
    assert all(weight.grad is None for weight in made[0].parameters())


def test_inputs_are_of_their_compact_types():
    kinds = ("pixels", "values", "characters")
    pixels, values, characters = (random_step.random_inputs(InputSpec(kind, 3), 2, 5) for kind in kinds)
    assert (pixels.shape, pixels.dtype) == ((2, 5, 3), torch.uint8)
    assert (values.shape, values.dtype) == ((2, 5, 3), torch.float32)
    assert (characters.shape, characters.dtype) == ((2, 5), torch.int64)
    assert int(characters.max()) < 3
