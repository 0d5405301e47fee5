"""Training and test data in two files of one form."""

import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.recognise import join_readers, recognise
from own_files import write_csv, write_long_form, write_texts


def test_rows_of_both_with_their_split(tmp_path):
    paths = [write_texts(tmp_path, 3, name) for name in ("a.csv", "b.csv")]
    parts = [recognise(path, ReadingOptions()) for path in paths]
    reader = join_readers([(paths[0], parts[0], "train"), (paths[1], parts[1], "test")])
    assert [row.split for row in reader.examples()] == ["train"] * 3 + ["test"] * 3


def test_other_forms_and_other_channels_are_refused(tmp_path):
    texts = recognise(write_texts(tmp_path), ReadingOptions())
    steps = recognise(write_long_form(tmp_path), ReadingOptions())
    swapped = recognise(write_csv(tmp_path / "c.csv", "id,time,b,a,label", "1,1,1,1,x"), ReadingOptions())
    for first, other in ((texts, steps), (steps, swapped)):
        with pytest.raises(InputError, match=r"expected .* as in .*, found long-form"):
            join_readers([(tmp_path / "a", first, "train"), (tmp_path / "b", other, "test")])
