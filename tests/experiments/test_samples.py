"""A sheet for each kind of set; which samples are on it."""

import gzip
import struct

import numpy as np
import pytest
from tests.own_files import write_csv, write_image

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.experiments import samples
from auxrnn.experiments.samples import first_of_each, show_files, show_samples
from auxrnn.sources.importing import import_source


def test_the_first_of_each_class_then_the_second():
    labels = [2, 0, 0, 1, 2, 0]
    assert first_of_each(labels, 4) == [1, 2, 3, 0]
    assert first_of_each(labels, 2) == [1, 3]
    assert first_of_each(labels, 99) == [1, 2, 5, 3, 0, 4]


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the drawing functions."""
    calls = []
    for name in ("sheet_of_images", "sheet_of_lines", "sheet_of_texts"):
        monkeypatch.setattr(samples, name, lambda *given, **named: calls.append((given[1:], named)))
    return calls


def write_mnist(folder):
    (folder / "mnist").mkdir()
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
    for prefix in ("train", "t10k"):
        for kind, array in (("images-idx3", images), ("labels-idx1", np.arange(20, dtype=np.uint8) % 10)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / "mnist" / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return images


def test_pmnist_as_read_and_as_an_image(tmp_path, drawn):
    images = write_mnist(tmp_path)
    show_samples("pmnist", tmp_path / "a.png", str(tmp_path), 3)
    (forms, names), named = drawn[0]
    assert names == ["0", "1", "2"]
    assert named["levels"] == 256
    assert forms["the image"][..., 0].tolist() == images[:3].tolist()
    assert forms["as read"].shape == (3, 28, 28, 1)
    assert np.sort(forms["as read"].reshape(3, -1)).tolist() == np.sort(images[:3].reshape(3, -1)).tolist()


def test_texts(tmp_path, drawn):
    (tmp_path / "dbpedia").mkdir()
    for split in ("train", "test"):
        (tmp_path / "dbpedia" / f"{split}.csv").write_text('2,"","b"\n1,"","a"\n')
    show_samples("dbpedia", tmp_path / "a.png", str(tmp_path), 2)
    assert drawn[0][0] == (["a", "b"], ["Company", "EducationalInstitution"])


def test_dogs_decodes_what_is_shown_alone(tmp_path, drawn):
    image = pytest.importorskip("PIL.Image")
    for split in ("train", "test"):
        names = [f"n0{breed}-Breed{breed}/{split}.png" for breed in (1, 2)]
        for name in names:
            path = tmp_path / "stanford-dogs" / "Images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.fromarray(np.full((5, 5, 3), 7, dtype=np.uint8)).save(path)
        (tmp_path / "stanford-dogs" / f"{split}_list.txt").write_text("\n".join(names))
    show_samples("stanford-dogs", tmp_path / "a.png", str(tmp_path), 1)
    (forms, names), _ = drawn[0]
    assert (forms[""].shape, names) == ((1, 128, 128, 3), ["Breed1"])
    assert not (tmp_path / "stanford-dogs" / "cache").exists()


def test_a_real_sheet_and_a_place_that_cannot_be_written_to(tmp_path):
    show_samples("digits", tmp_path / "new" / "a.png", count=3)
    assert (tmp_path / "new" / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="a file that can be written"):
        show_samples("digits", tmp_path / "new" / "a.png" / "b.png", count=3)


# A person's own ------------------------------------------------------------------------------------------------------


def stored_set(folder, source, **reading):
    """The set made of a source, the source's own path beside it: both are to be drawn alike."""
    options = ReadingOptions(**reading)
    import_source(source, folder / "set", options, print)
    return (source, options), (folder / "set", ReadingOptions())


def test_own_images_as_they_look_by_class(tmp_path, drawn):
    pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 4, 3), dtype=np.uint8)
    for index, image in enumerate(pixels):
        write_image(tmp_path / "own" / "ab"[index % 2] / f"{index}.png", image)
    for path, options in stored_set(tmp_path, tmp_path / "own"):
        show_files(path, tmp_path / "a.png", options, 3)
    for (forms, names), named in drawn:
        assert names == ["a", "a", "b"]
        assert forms[""].tolist() == pixels[[0, 2, 1]].tolist()
        assert named["levels"] == 256
    assert len(drawn) == 2


def test_own_values_as_lines_without_those_of_the_test_split(tmp_path, drawn):
    X = np.arange(24.0).reshape(4, 3, 2)
    np.savez(tmp_path / "a.npz", X_train=X, y_train=[1, 0, 1, 0], X_test=X + 100, y_test=[0, 1, 0, 1])
    for path, options in stored_set(tmp_path, tmp_path / "a.npz"):
        show_files(path, tmp_path / "a.png", options, 99)
    for (sequences, names), _ in drawn:
        assert names == ["0", "0", "1", "1"]
        assert [sequence.tolist() for sequence in sequences] == X[[1, 3, 0, 2]].tolist()
    assert len(drawn) == 2


def test_own_texts(tmp_path, drawn):
    table = write_csv(tmp_path / "a.csv", "text,label", "héllo,x", "wörld,y", "again,x", "yonder,y")
    for path, options in stored_set(tmp_path, table):
        show_files(path, tmp_path / "a.png", options, 2)
    assert [given for given, _ in drawn] == [(["héllo", "wörld"], ["x", "y"])] * 2


@pytest.mark.parametrize(
    ("target", "labels", "names"),
    [
        ("classes", [[1, 0], [1, 1], [0, 0]], ["0", "0|1", "no label"]),
        ("value", [1.5, 2.25, -3.0], ["value 1.5", "value 2.25", "value -3"]),
        ("tags", [[0, 1], [1, 1], [-1, -1]], ["0|1", "1", "no label"]),
    ],
)
def test_what_own_sequences_of_other_targets_are_called(tmp_path, drawn, target, labels, names):
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).random((len(labels), 2)), y=np.array(labels))
    for path, options in stored_set(tmp_path, tmp_path / "a.npz", target=target):
        show_files(path, tmp_path / "a.png", options)
        assert drawn[-1][0][1] == names


def test_a_stored_text_of_no_known_character_is_refused(tmp_path):
    _, (path, options) = stored_set(tmp_path, write_csv(tmp_path / "a.csv", "text,label", "ab,x", "ba,y", "a,x", "b,y"))
    values = path / "values.bin"
    values.write_bytes(b"\xff" * values.stat().st_size)
    with pytest.raises(InputError, match="2 characters of the set"):
        show_files(path, tmp_path / "a.png", options)
