"""A sheet for each kind of set; which samples are on it."""

import gzip
import struct

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.experiments import samples
from auxrnn.experiments.samples import first_of_each, show_samples


def test_the_first_of_each_class_then_the_second():
    labels = [2, 0, 0, 1, 2, 0]
    assert first_of_each(labels, 4) == [1, 2, 3, 0]
    assert first_of_each(labels, 2) == [1, 3]
    assert first_of_each(labels, 99) == [1, 2, 5, 3, 0, 4]


@pytest.fixture
def drawn(monkeypatch):
    """What is handed to the drawing functions."""
    calls = []
    for name in ("draw_images", "draw_texts"):
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
