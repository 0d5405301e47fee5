"""Training and test data in two files of one form."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.joined import JoinedReader
from auxrnn.sources.recognise import recognise
from own_files import write_csv, write_long_form, write_texts


def test_rows_of_both_with_their_split(tmp_path):
    parts = [recognise(write_texts(tmp_path, 3, name), ReadingOptions()) for name in ("a.csv", "b.csv")]
    reader = JoinedReader(((parts[0], "train"), (parts[1], "test")))
    assert [row.split for row in reader.examples()] == ["train"] * 3 + ["test"] * 3
    assert [row.split for row in reader.examples(skip=4)] == ["test"] * 2
    assert reader.files == [tmp_path / "a.csv", tmp_path / "b.csv"]


def test_other_forms_and_other_channels_are_refused(tmp_path):
    texts = recognise(write_texts(tmp_path), ReadingOptions())
    steps = recognise(write_long_form(tmp_path), ReadingOptions())
    swapped = recognise(write_csv(tmp_path / "c.csv", "id,time,b,a,label", "1,1,1,1,x"), ReadingOptions())
    for other in (steps, swapped):
        with pytest.raises(InputError, match=r"expected .* as in .*, found long-form"):
            JoinedReader(((texts if other is steps else steps, "train"), (other, "test")))
