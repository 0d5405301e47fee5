"""Gaps filled as worked out by hand."""

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.sources.collect import fill_missing

NAN = np.nan
GAPS = np.array([[NAN, 1], [2, NAN], [NAN, NAN], [8, 7]], np.float32)


def test_each_way_by_hand():
    assert fill_missing(GAPS, "zero", "")[0].tolist() == [[0, 1], [2, 0], [0, 0], [8, 7]]
    assert fill_missing(GAPS, "drop", "")[0].tolist() == [[8, 7]]
    assert fill_missing(GAPS, "interpolate", "")[0].tolist() == [[2, 1], [2, 3], [5, 5], [8, 7]]
    assert fill_missing(GAPS, "zero", "")[1] == 4
    assert fill_missing(GAPS, "interpolate", "")[0].dtype == np.float32


def test_whole_sequences_are_left_as_they_are():
    for values in (np.ones((2, 2)), np.ones((2, 2), np.int16)):
        found, number = fill_missing(values, "error", "")
        assert found is values
        assert number == 0


@pytest.mark.parametrize(
    ("values", "missing", "told"),
    [
        (GAPS, "error", r"row 3: expected a value at step 0, speed, got none \(4 missing.*--missing zero"),
        (np.array([[1.0, np.inf]]), "zero", "row 3: expected finite values, got inf at step 0, height"),
        (np.array([[1, NAN], [2, NAN]]), "interpolate", "interpolate from in height, got none at all"),
    ],
)
def test_refused_with_row_step_and_channel(values, missing, told):
    with pytest.raises(InputError, match=told):
        fill_missing(values, missing, "row 3", ("speed", "height"))
