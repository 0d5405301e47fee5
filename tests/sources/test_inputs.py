"""A person's file becomes exactly the sequences the model was trained on, or an error that says why not."""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources import inputs
from auxrnn.sources.dataset import SequenceData
from auxrnn.sources.preprocessing import Preprocessing

GREY = InputSpec("pixels", size=1)
SHAPE = (2, 3)
IMAGES = np.array([[[0, 1, 2], [127, 254, 255]], [[9, 8, 7], [6, 5, 4]]], dtype=np.uint8)
ROWS = IMAGES.reshape(2, 6)


@dataclass
class Named:
    names: tuple[str, ...]
    data: SequenceData


def read_inputs(path, spec, **options):
    """The rows of a file, and the set that a model of such steps takes."""
    rows = list(inputs.read_inputs(path, spec, **options))
    plain = Preprocessing(spec.kind, spec.size)
    sequences = torch.stack([plain.sequence(row.sequence, row.where) for row in rows])
    return Named(tuple(row.where for row in rows), SequenceData(str(path), spec, sequences))


def read_texts(path, characters):
    spec = InputSpec("characters", len(characters) + 1)
    rows = list(inputs.read_inputs(path, spec))
    learned = Preprocessing("characters", characters=characters)
    found = [learned.sequence(row.sequence, row.where) for row in rows]
    return Named(tuple(row.where for row in rows), SequenceData(str(path), spec, found))


def steps(named):
    return named.data.inputs[:, :, 0].tolist()


def test_png_keeps_every_level(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(IMAGES[0]).save(tmp_path / "seven.png")
    named = read_inputs(tmp_path / "seven.png", GREY, image_shape=SHAPE)
    assert named.names == ("seven.png",)
    assert steps(named) == ROWS[:1].tolist()


def test_rgb_png(tmp_path):
    image = pytest.importorskip("PIL.Image")
    colours = np.arange(18, dtype=np.uint8).reshape(2, 3, 3)
    image.fromarray(colours).save(tmp_path / "a.png")
    named = read_inputs(tmp_path / "a.png", InputSpec("pixels", size=3), image_shape=SHAPE)
    assert named.data.inputs.tolist() == [colours.reshape(6, 3).tolist()]


def test_other_sizes_are_scaled_and_broken_images_refused(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(np.full((9, 5), 7, np.uint8)).save(tmp_path / "a.png")
    assert steps(read_inputs(tmp_path / "a.png", GREY, image_shape=SHAPE)) == [[7] * 6]
    (tmp_path / "b.png").write_bytes(b"<html>")
    with pytest.raises(InputError, match=r"b\.png: expected an image that can be read"):
        read_inputs(tmp_path / "b.png", GREY, image_shape=SHAPE)
    with pytest.raises(InputError, match="a model of pixels for an image, found one of values"):
        read_inputs(tmp_path / "a.png", InputSpec("values", size=1), image_shape=SHAPE)


@pytest.mark.parametrize(
    "array", [IMAGES, IMAGES[..., None], ROWS, ROWS[..., None], ROWS.astype(int), ROWS.astype(float)]
)
def test_npy_in_every_shape_and_type(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    named = read_inputs(tmp_path / "a.npy", GREY, image_shape=SHAPE)
    assert steps(named) == ROWS.tolist()
    assert named.names == ("a.npy[0]", "a.npy[1]")


def test_order_of_the_pixels(tmp_path):
    np.save(tmp_path / "a.npy", IMAGES)
    named = read_inputs(tmp_path / "a.npy", GREY, image_shape=SHAPE, order=np.array([5, 0, 1, 2, 3, 4]))
    assert steps(named)[0] == [255, 0, 1, 2, 127, 254]
    with pytest.raises(InputError, match="sequences of 2 steps, found 6"):
        read_inputs(tmp_path / "a.npy", GREY, image_shape=SHAPE, order=np.array([1, 0]))


def test_npz(tmp_path):
    np.savez(tmp_path / "one.npz", anything=ROWS)
    np.savez(tmp_path / "two.npz", y=np.zeros(2), x=ROWS)
    np.savez(tmp_path / "none.npz", y=np.zeros(2), z=ROWS)
    assert steps(read_inputs(tmp_path / "one.npz", GREY)) == ROWS.tolist()
    assert steps(read_inputs(tmp_path / "two.npz", GREY)) == ROWS.tolist()
    with pytest.raises(InputError, match="expected an array X, found y"):
        read_inputs(tmp_path / "none.npz", GREY)


def test_values(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((2, 5, 3)))
    named = read_inputs(tmp_path / "a.npy", InputSpec("values", size=3))
    assert named.data.inputs.shape == (2, 5, 3)
    (row, _) = inputs.read_inputs(tmp_path / "a.npy", InputSpec("values", size=3))
    assert row.sequence.dtype == np.float64  # all digits, until they are standardised


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (ROWS / 255, "pixel levels 0 to 255 as in training, got float64"),
        (ROWS.astype(int) + 1, "got int64 from 1 to 256"),
        (np.full((1, 2), np.nan), "expected a value at step 0"),
        (np.array([["a"]]), "expected numbers"),
        (np.zeros((2, 3, 4), np.uint8), r"found 4 in \(3, 4\); images have 2 rows and 3 columns"),
        (np.zeros((2, 2, 3, 4), np.uint8), r"expected 1 channels as in training, found 4 in \(6, 4\)"),
        (np.zeros((0, 4), np.uint8), "expected at least one sequence, found none"),
    ],
)
def test_unfitting_arrays(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / "a.npy", GREY, image_shape=SHAPE)


def test_nothing_is_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"code": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="plain numbers"):
        read_inputs(tmp_path / "a.npy", GREY)
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InputError, match="plain numbers"):
        read_inputs(tmp_path / "b.npz", GREY)


def test_levels_beyond_the_model(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    with pytest.raises(InputError, match="pixel levels from 0 to 16, got 255"):
        read_inputs(tmp_path / "a.npy", InputSpec("pixels", size=1, levels=17))


def test_no_such_kind_of_file(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"")
    with pytest.raises(InputError, match=r"found one ending in \.pdf"):
        read_inputs(tmp_path / "a.pdf", GREY)
    with pytest.raises(InputError, match="found nothing"):
        read_inputs(tmp_path / "none.png", GREY)
    with pytest.raises(InputError, match="found a folder"):
        read_inputs(tmp_path, GREY)


def test_nan_in_pixels_is_refused(tmp_path):
    array = IMAGES.reshape(2, 6).astype(float)
    array[1, 3] = np.nan
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=r"a\.npy, sequence 1: expected a value at step 3"):
        read_inputs(tmp_path / "a.npy", GREY)


def test_texts_by_line_and_by_the_last_field(tmp_path):
    (tmp_path / "a.txt").write_text("abc\nbézb\n", encoding="utf-8")
    named = read_texts(tmp_path / "a.txt", "abc")
    assert named.names == ("a.txt[0]", "a.txt[1]")
    assert [text.tolist() for text in named.data.inputs] == [[1, 2, 3], [2, 0, 0, 2]]
    assert named.data.spec == InputSpec("characters", 4)
    (tmp_path / "a.csv").write_text('1,"t","c, a"\n2,"","b"\n')
    assert [text.tolist() for text in read_texts(tmp_path / "a.csv", "abc").data.inputs] == [[3, 0, 0, 1], [2]]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"a\n\nb\n", "row 2: expected a text of at least one character"),
        ("a.txt", b"a\n\xff\n", "row 1 or soon after: expected text in utf-8"),
        ("a.txt", b"", "at least one text, found none"),
        ("a.csv", b"a,b\na\n", "row 2: expected 2 fields as in row 1, found 1"),
        ("a.csv", b'"a\n', "row 1: expected a row of a table, found: .* Unclosed quote"),
    ],
)
def test_faulty_texts(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_texts(tmp_path / name, "abc")


def header_of(shape, descr="|u1"):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    return stream.getvalue()


@pytest.mark.parametrize("zipped", [False, True])
def test_headers_that_announce_more_than_there_is(tmp_path, zipped):
    """Refused before memory is taken."""
    content = header_of((10**6, 10**6)) + bytes(100)
    path = tmp_path / ("a.npz" if zipped else "a.npy")
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("X.npy", content)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match="bytes in all"):
        read_inputs(path, GREY)


def test_columns_first_and_values_beyond_float32(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(ROWS))
    with pytest.raises(InputError, match="ascontiguousarray"):
        read_inputs(tmp_path / "a.npy", GREY)
    np.save(tmp_path / "a.npy", np.full((1, 2, 1), 1e300))
    (found,) = inputs.read_inputs(tmp_path / "a.npy", InputSpec("values", 1))
    assert found.sequence.flatten().tolist() == [1e300, 1e300]  # to be standardised
