"""Labels of any sortable type become 0..K-1 and come back as they were."""

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.labels import label_type, labels_of, learn_labels, read_labels


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
