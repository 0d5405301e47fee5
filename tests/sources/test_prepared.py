"""Sequences made when asked for, against the whole set prepared at once."""

import numpy as np
import pytest
import torch

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources import prepared
from auxrnn.sources.importing import import_source, read_source
from auxrnn.sources.prepared import PreparedSequences, learn_preprocessing
from auxrnn.sources.preprocessing import Preprocessing, read_sequences
from auxrnn.sources.stored import open_set
from own_files import write_csv, write_long_form, write_texts


def test_values_are_standardised_by_the_given_sequences_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "BLOCK", 2)
    stored = read_source(write_long_form(tmp_path), ReadingOptions())
    indices = np.array([0, 2, 5])
    raw = read_sequences([stored.sequence(index) for index in indices])
    oracle = Preprocessing.learn(raw)
    learned = learn_preprocessing(stored, indices)
    np.testing.assert_allclose(learned.mean, oracle.mean)
    np.testing.assert_allclose(learned.scale, oracle.scale)
    found = PreparedSequences(stored, indices, oracle)
    for one, other in zip(found, oracle.apply(raw), strict=True):
        assert torch.equal(one, other)


def test_characters_of_the_given_texts_alone(tmp_path):
    stored = read_source(write_csv(tmp_path / "a.csv", "text,label", "zab,x", "bqa,x", "ab,y", "c,y"), ReadingOptions())
    learned = learn_preprocessing(stored, np.array([0, 2]))
    assert learned.characters == "abz"
    found = PreparedSequences(stored, np.arange(4), learned)
    assert [item.tolist() for item in found] == [[3, 1, 2], [2, 0, 1], [1, 2], [0]]


@pytest.mark.parametrize("write", [write_texts, write_long_form])
def test_mapped_from_the_disk_it_is_the_same(tmp_path, write):
    path = write(tmp_path)
    read = read_source(path, ReadingOptions())
    mapped = import_source(path, tmp_path / "set", ReadingOptions(), lambda _: None)
    learned = learn_preprocessing(read, np.arange(6))
    assert learn_preprocessing(mapped, np.arange(6)) == learned
    one, other = (PreparedSequences(stored, np.arange(6), learned) for stored in (read, mapped))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_subsets_lengths_and_places(tmp_path):
    stored = read_source(write_long_form(tmp_path), ReadingOptions())
    found = PreparedSequences(stored, np.arange(6), learn_preprocessing(stored, np.arange(6)))
    chosen = found.subset(torch.tensor([5, 1, 1]))
    assert chosen.lengths.tolist() == [4, 3, 3]
    assert torch.equal(chosen[0], found[5])
    assert torch.equal(found[-1], found[5])
    assert [len(item) for item in found[1:3]] == [3, 4]
    with pytest.raises(IndexError):
        found[6]


def test_places_behind_the_characters_of_a_damaged_set(tmp_path):
    import_source(write_texts(tmp_path), tmp_path / "set", ReadingOptions(), lambda _: None)
    places = np.fromfile(tmp_path / "set" / "values.bin", np.uint16)
    places[-1] = 999
    places.tofile(tmp_path / "set" / "values.bin")
    stored = open_set(tmp_path / "set")
    every = np.arange(len(stored))
    with pytest.raises(InputError, match="expected texts of the 6 characters of the set"):
        learn_preprocessing(stored, every)
    with pytest.raises(InputError, match="import it again"):
        PreparedSequences(stored, every, Preprocessing("characters", characters="ab")).at(len(stored) - 1)
