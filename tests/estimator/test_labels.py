"""Labels of any sortable type become 0..K-1 and come back as they were."""

import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.estimator.labels import class_weights, label_type, labels_of, learn_labels, read_indicator, read_labels
from auxrnn.sources.dataset import SequenceData
from auxrnn.targets import ClassesTarget, ClassTarget


@pytest.mark.parametrize(
    "labels", [[3, 1, 3, 2], ["b", "a", "b"], np.array([5, 5, 9], dtype=np.uint8), np.array(["y", "x"], dtype=object)]
)
def test_there_and_back(labels):
    labels = read_labels(np.asarray(labels), len(labels), "y")
    classes, places = learn_labels(labels)
    assert list(classes) == sorted(set(labels.tolist()))
    assert places.tolist() == [list(classes).index(label) for label in labels]
    kept = labels_of(tuple(str(label) for label in classes), label_type(classes), "folder")
    assert kept.tolist() == classes.tolist()
    assert kept.dtype == classes.dtype


def test_what_cannot_be_used():
    with pytest.raises(InputError, match="one label a sequence, got 3 sequences and 2 labels"):
        read_labels([0, 1], 3, "y")
    with pytest.raises(InputError, match="at least 2 classes"):
        learn_labels(np.array([1, 1]))
    with pytest.raises(InputError, match=r"astype\(str\)"):
        label_type(np.array([0.5, 1.5]))
    with pytest.raises(InputError, match="found 'float64'"):
        labels_of(("0.5",), "float64", "folder")
    with pytest.raises(InputError, match="found others"):
        labels_of(("many",), "int64", "folder")


def test_y_is_named_where_y_is_at_fault():
    with pytest.raises(InputError, match="y: expected labels of one type"):
        learn_labels(read_labels(np.array(["a", 1] * 5, dtype=object), 10, "y"))
    with pytest.raises(InputError, match=r"y: expected one class a sequence, or 0 and 1 .* \(2, 3\) with 5"):
        read_indicator(np.array([[5, 6, 5], [6, 6, 5]]), 2, "y")
    with pytest.raises(InputError, match=r"y: expected one class a sequence, \(N,\), or .*\(2, 2\) with \[0, 1, 2\]"):
        read_labels([[0, 1], [2, 1]], 2, "y")
    with pytest.raises(InputError, match="got 1 class, 1\\."):
        learn_labels(np.array([1, 1]))


def test_class_weights_of_numpys_own_kind():
    train = SequenceData("X", InputSpec("values", 1), torch.zeros(2, 3, 1), torch.tensor([0, 1]), ("0", "1"))
    assert class_weights({0: np.float32(2), np.int64(1): np.int8(3)}, train, np.array([0, 1])).tolist() == [2, 3]


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        (ClassTarget, {0: 0, 1: 0}, "above 0 for at least one class"),
        (ClassTarget, {np.int64(2): 1.0}, "got 2\\."),
        (ClassTarget, {np.int64(1): np.float64(-1)}, "got -1.0 for 1\\."),
        (ClassesTarget, "balanced", "None where a sequence has several classes, got 'balanced'"),
    ],
)
def test_class_weights_that_cannot_be_used(target, given, message):
    labels = torch.tensor([0, 1]) if target is ClassTarget else torch.eye(2).long()
    train = SequenceData("X", InputSpec("values", 1), torch.zeros(2, 3, 1), labels, target=target(("0", "1")))
    with pytest.raises(InputError, match=message):
        class_weights(given, train, np.array([0, 1]))
