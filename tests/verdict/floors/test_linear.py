"""Ridge regression against its closed form, and codes that read back as the labels."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from auxrnn.targets import ClassesTarget, ClassTarget, TagsTarget, ValueTarget
from auxrnn.verdict.floors.linear import SPARSE_STRENGTH, STRENGTHS, LinearModel


def closed_form(features, codes, strength):
    """(X'X + a I)^-1 X'y on standardised features and centred codes (Hoerl and Kennard 1970)."""
    mean, scale = features.mean(0), features.std(0)
    standard = (features - mean) / scale
    weights = np.linalg.solve(
        standard.T @ standard + strength * np.eye(features.shape[1]), standard.T @ (codes - codes.mean(0))
    )
    return lambda new: (new - mean) / scale @ weights + codes.mean(0)


def left_out_error(features, codes, strength):
    """The mean squared error of each sequence's answer by a model of all others, features standardised by all."""
    standard = (features - features.mean(0)) / features.std(0)
    errors = []
    for row in range(len(features)):
        others = np.arange(len(features)) != row
        middle, centre = standard[others].mean(0), codes[others].mean(0)
        known = standard[others] - middle
        gram = known.T @ known + strength * np.eye(features.shape[1])
        weights = np.linalg.solve(gram, known.T @ (codes[others] - centre))
        errors.append((((standard[row] - middle) @ weights + centre - codes[row]) ** 2).mean())
    return np.mean(errors)


@pytest.mark.parametrize("noise", [0.01, 5.0])
def test_outputs_are_those_of_the_closed_form_at_the_strength_that_leaves_one_out_best(noise):
    draw = np.random.default_rng(0)
    features = draw.normal(3, 2, (14, 3))
    codes = features @ draw.normal(size=(3, 2)) + noise * draw.normal(size=(14, 2))
    best = min(STRENGTHS, key=lambda strength: left_out_error(features, codes, strength))
    new = draw.normal(3, 2, (5, 3))
    expected = closed_form(features, codes, best)(new)
    np.testing.assert_allclose(LinearModel(features, codes).outputs(new).numpy(), expected, rtol=1e-6)


def test_sparse_features_are_not_standardised():
    draw = np.random.default_rng(1)
    features = draw.normal(size=(30, 4)) * (draw.random((30, 4)) < 0.5)
    codes = features @ draw.normal(size=(4, 2)) + 1
    centred = features - features.mean(0)
    weights = np.linalg.solve(centred.T @ centred + SPARSE_STRENGTH * np.eye(4), centred.T @ (codes - codes.mean(0)))
    expected = centred @ weights + codes.mean(0)
    found = LinearModel(csr_array(features), codes).outputs(csr_array(features)).numpy()
    assert np.abs(found - expected).max() < 0.1 * np.abs(expected - codes.mean(0)).max()  # the residual that is left


@pytest.mark.parametrize(
    ("target", "labels"),
    [
        (ClassTarget(("a", "b", "c")), torch.tensor([2, 0, 1])),
        (ClassesTarget(("a", "b")), torch.tensor([[0, 1], [1, 1], [0, 0]])),
        (ValueTarget(("x",), (5.0,), (2.0,)), torch.tensor([[4.0], [9.0]], dtype=torch.float64)),
        (ValueTarget(("x", "y")), torch.tensor([[4.0, 1.0]], dtype=torch.float64)),
    ],
)
def test_codes_are_outputs_that_answer_the_labels(target, labels):
    answers = target.answers(torch.from_numpy(target.codes(labels)))
    torch.testing.assert_close(answers, labels)


def test_steps_without_a_tag_have_no_code():
    tags = [torch.tensor([1, -1, 0]), torch.tensor([-1, 1])]
    assert TagsTarget(("a", "b")).codes(tags).argmax(1).tolist() == [1, 0, 1]
