"""NumPy files against the arrays that were saved; nothing is unpickled."""

import io
import struct
import zipfile

import numpy as np
import pytest

from auxrnn.errors import InputError
from auxrnn.sources.arrays import find_arrays


def rows_of(path, **options):
    return list(find_arrays(path, **options).examples())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", ">f4", "uint8"])
def test_npz(tmp_path, save, dtype):
    X, y = np.arange(24).reshape(3, 4, 2).astype(dtype), np.array(["a", "b", "a"])
    save(tmp_path / "a.npz", X=X, y=y)
    rows = rows_of(tmp_path / "a.npz")
    assert np.array_equal([row.sequence for row in rows], X)
    assert [row.label for row in rows] == ["a", "b", "a"]
    assert np.array_equal(rows_of(tmp_path / "a.npz")[2].sequence, X[2])
    schema = find_arrays(tmp_path / "a.npz").schema
    assert (schema.kind, schema.channels) == ("pixels" if dtype == "uint8" else "values", 2)


def test_table_of_one_channel_with_lengths(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.arange(6.0).reshape(2, 3), y=np.array([0, 1]), lengths=np.array([2, 3]))
    assert [row.sequence.tolist() for row in rows_of(tmp_path / "a.npz")] == [[[0], [1]], [[3], [4], [5]]]


def test_train_and_test(tmp_path):
    parts = {"X_train": np.zeros((2, 3)), "y_train": [1, 2], "X_test": np.ones((1, 3)), "y_test": [1.0]}
    np.savez(tmp_path / "a.npz", **parts)
    assert [(row.label, row.split) for row in rows_of(tmp_path / "a.npz")] == [
        ("1", "train"),
        ("2", "train"),
        ("1", "test"),
    ]
    assert [row.split for row in rows_of(tmp_path / "a.npz")][2:] == ["test"]
    for name, array in parts.items():
        np.save(tmp_path / f"{name}.npy", array)
    assert len(rows_of(tmp_path)) == 3


def test_npy_with_labels_beside(tmp_path):
    np.save(tmp_path / "X.npy", np.zeros((2, 3)))
    with pytest.raises(InputError, match=r"or its labels in y\.npy"):
        rows_of(tmp_path / "X.npy")
    np.save(tmp_path / "y.npy", np.array([b"a", b"b"]))
    assert [row.label for row in rows_of(tmp_path / "X.npy")] == ["a", "b"]
    np.save(tmp_path / "speech.npy", np.zeros((2, 3)))
    np.save(tmp_path / "speech_labels.npy", np.array([True, False]))
    assert [row.label for row in rows_of(tmp_path / "speech.npy")] == ["True", "False"]


def test_without_labels(tmp_path):
    np.save(tmp_path / "new.npy", np.zeros((2, 3)))
    assert [row.label for row in rows_of(tmp_path / "new.npy", labelled=False)] == [None, None]


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"X": np.array([[1, "a"]], dtype=object), "y": [1]}, "never unpickled"),
        ({"X": np.array([["a", "b"]]), "y": [1]}, "expected numbers"),
        ({"X": np.zeros((2, 3), complex), "y": [1, 2]}, "expected numbers"),
        ({"X": np.zeros(3), "y": [1, 2, 3]}, r"\(N, T, C\) or \(N, T\)"),
        ({"X": np.zeros((2, 0)), "y": [1, 2]}, r"\(N, T, C\) or \(N, T\)"),
        ({"X": np.zeros((2, 3)), "y": [1, 2, 3]}, r"one label a sequence, \(2,\)"),
        ({"X": np.zeros((2, 3)), "y": np.array([1, "a"], dtype=object)}, "never unpickled"),
        ({"X": np.asfortranarray(np.zeros((2, 3))), "y": [1, 2]}, "ascontiguousarray"),
        ({"X": np.zeros((2, 3)), "x": np.zeros((2, 3)), "y": [1, 2]}, "found X and x"),
        ({"X": np.zeros((2, 3))}, "expected arrays X and y"),
        ({}, "found none"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path, parts, told):
    np.savez(tmp_path / "a.npz", **parts)
    with pytest.raises(InputError, match=rf"a\.npz.*{told}"):
        rows_of(tmp_path / "a.npz")


def test_labels_and_lengths_are_checked_row_by_row(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3)), y=np.array([1, 0.5]))
    with pytest.raises(InputError, match=r"sequence 1: expected a class as label, got 0\.5"):
        rows_of(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3)), y=np.array([1, 2]), lengths=np.array([3, 4]))
    with pytest.raises(InputError, match="sequence 1: expected a length of 0 to 3, got 4"):
        rows_of(tmp_path / "a.npz")


def test_missing_labels_are_none(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3)), y=np.array([1, np.nan]))
    assert [row.label for row in rows_of(tmp_path / "a.npz")] == ["1", None]


def header_of(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def test_texts_that_are_none(tmp_path):
    np.save(tmp_path / "X.npy", np.zeros((2, 3)))
    np.save(tmp_path / "y.npy", np.array([0x110000, 5], "<u4").view("<U1"))
    with pytest.raises(InputError, match=r"y\.npy: expected texts, found numbers that are no characters"):
        rows_of(tmp_path / "X.npy")


def test_headers_that_lie(tmp_path):
    np.save(tmp_path / "y.npy", np.zeros(10))
    path = tmp_path / "X.npy"
    path.write_bytes(header_of((10, 3)) + bytes(100))
    with pytest.raises(InputError, match="expected 10 items, the file ends at 4"):
        rows_of(path)
    path.write_bytes(header_of((10, 10**6)) + bytes(100))
    with pytest.raises(InputError, match="expected items of 8,000,000 bytes, found 228 bytes in all"):
        rows_of(path)
    path.write_bytes(header_of((10, 10**12)) + bytes(100))
    with pytest.raises(InputError, match="at most 2 GiB"):
        rows_of(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not numpy", b"\x93NUMPY\x01\0\x10\0{'descr': eval(1)}"])
def test_broken_files(tmp_path, content):
    for name in ("X.npy", "a.npz"):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match="expected a NumPy"):
            rows_of(path)


def test_a_member_cut_short(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(50, 30)), y=np.arange(50) % 2)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[2000:2100] = bytes(100)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match="expected a whole NumPy file"):
        rows_of(tmp_path / "a.npz")


def test_a_million_fold_expansion_is_read_in_pieces(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("X.npy", header_of((2, 2**40)) + bytes(10**6))
        archive.writestr("y.npy", header_of((2,)) + bytes(16))
    with pytest.raises(InputError, match="at most 2 GiB"):
        rows_of(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("kind", "y", "labels", "names"),
    [
        ("classes", [[1, 0, 1], [0, 0, 0]], [("0", "2"), ()], ("0", "1", "2")),
        ("value", [0.5, -3], [(0.5,), (-3.0,)], ("value",)),
        ("value", [[0.5, 1], [np.nan, 2]], [(0.5, 1.0), None], ("value_1", "value_2")),
        ("tags", [[0, -1, 2, 2], [1, 1, -1, 0]], [("0", None, "2"), ("1", "1", None, "0")], ()),
        ("tags", [["a", "", "b", "b"], ["b"] * 4], [("a", None, "b"), ("b",) * 4], ()),
    ],
)
def test_targets(tmp_path, kind, y, labels, names):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4, 1)), y=np.array(y), lengths=[3, 4])
    assert [row.label for row in rows_of(tmp_path / "a.npz", kind=kind)] == labels
    assert rows_of(tmp_path / "a.npz", kind=kind)[1].label == labels[1]
    schema = find_arrays(tmp_path / "a.npz", kind=kind).schema
    assert (schema.target, schema.labels) == (kind, names)


@pytest.mark.parametrize(
    ("kind", "y", "message"),
    [
        (
            "class",
            np.zeros((2, 4)),
            r"one label a sequence.*--target classes .* value .* or tags \(one a step, \(2, 4\)\)",
        ),
        ("class", np.array([0.5, 1.5]), "measured values. To predict them as numbers say --target value"),
        ("tags", np.zeros((2, 3), int), r"a label for each step, \(2, 4\), found shape \(2, 3\)"),
        ("tags", np.full((2, 4), 0.5), r"expected tags, one class a step as a whole number or a text, got 0\.5"),
        ("classes", np.zeros(2, int), r"0 and 1 for each class, \(2, K\)"),
        ("classes", np.full((2, 2), 2), r"a\.npz, y, sequence 0: expected 0 or 1 for each class"),
        ("value", np.array(["a", "b"]), "expected numbers, found <U1"),
        ("value", np.array([np.inf, 1]), "expected finite values"),
        ("value", np.zeros((2, 2, 2)), r"\(2,\) or \(2, K\) numbers"),
    ],
)
def test_targets_that_do_not_fit(tmp_path, kind, y, message):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 4, 1)), y=y)
    with pytest.raises(InputError, match=message):
        rows_of(tmp_path / "a.npz", kind=kind)


def test_both_parts_are_kept_in_a_type_that_holds_both(tmp_path):
    rest = {"y_train": [0, 1], "X_test": np.full((1, 3), 0.5), "y_test": [0]}
    np.savez(tmp_path / "a.npz", X_train=np.ones((2, 3), np.int16), **rest)
    assert find_arrays(tmp_path / "a.npz").schema.dtype == "float64"
    np.savez(tmp_path / "b.npz", X_train=np.ones((2, 3), np.uint8), **rest)
    with pytest.raises(InputError, match=r"X_test: expected uint8 as in .*X_train, found float64"):
        find_arrays(tmp_path / "b.npz")


def test_labels_of_bytes(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3)), y=np.array(["é".encode(), b"a"]))
    assert [row.label for row in rows_of(tmp_path / "a.npz")] == ["é", "a"]
    np.savez(tmp_path / "b.npz", X=np.zeros((2, 3)), y=np.array([b"a", b"\xe9"]))
    with pytest.raises(InputError, match=r"sequence 1: expected a label in UTF-8, got the bytes b'\\xe9'"):
        rows_of(tmp_path / "b.npz")


def test_parts_with_and_without_a_split(tmp_path):
    part = {"X_train": np.zeros((2, 3)), "y_train": [0, 1]}
    np.savez(tmp_path / "a.npz", **part, X=np.zeros((2, 3)), y=[0, 1])
    with pytest.raises(InputError, match="expected X and y, or X_train and X_test with theirs, found both"):
        find_arrays(tmp_path / "a.npz")


def test_validation_arrays_are_a_split(tmp_path):
    for name in ("val", "valid", "validation"):
        path = tmp_path / f"{name}.npz"
        np.savez(
            path, **{"X_train": np.zeros((2, 3)), "y_train": [0, 1], f"X_{name}": np.ones((1, 3)), f"y_{name}": [1]}
        )
        assert [row.split for row in find_arrays(path).examples()] == ["train", "train", "validation"]


@pytest.mark.parametrize(("shape", "warned"), [((4, 3, 100), True), ((4, 100, 3), False), ((4, 10, 79), False)])
def test_steps_that_stand_last_are_warned_of(tmp_path, shape, warned):
    np.savez(tmp_path / "a.npz", X=np.zeros(shape), y=[0, 1] * 2)
    notes = find_arrays(tmp_path / "a.npz").schema.notes
    assert bool(notes) is warned
    assert not warned or "3 steps of 100 channels each" in notes[0]


def test_objects_are_told_how_to_be_saved(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((2, 3)), y=np.array(["a", "b"], object))
    with pytest.raises(InputError, match=r"y\.npy: .*never unpickled\. Labels from pandas: save y\.astype\(str\)"):
        find_arrays(tmp_path / "a.npz")


@pytest.mark.parametrize("shape", ["(True, 3)", "(2, False)", "(True,)"])
def test_a_shape_with_true_or_false(tmp_path, shape):
    path = tmp_path / "X.npy"
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(48))
    with pytest.raises(InputError, match=r"X\.npy: expected a NumPy array, found one of float64 and shape"):
        find_arrays(path, labelled=False)


def test_arrays_of_other_names_are_not_read(tmp_path):
    """They may hold anything; arrays without their labels are named too."""
    arrays = {"X_train": np.zeros((2, 3)), "y_train": np.array([0, 1]), "X_test": np.zeros((1, 3))}
    meta = np.array([{"who": 1}], dtype=object)
    np.savez(tmp_path / "a.npz", **arrays, meta_train=meta)
    for name, array in {**arrays, "meta_train": meta}.items():
        np.save(tmp_path / f"{name}.npy", array)
    for path in (tmp_path / "a.npz", tmp_path):
        assert [row.label for row in rows_of(path)] == ["0", "1"]
        assert find_arrays(path).schema.notes == (
            "X_test has no labels beside it: it is data to predict (auxrnn predict), and not read here.",
            "Arrays that are not read: meta_train.",
        )
    np.savez(tmp_path / "b.npz", X=np.zeros((2, 3)), y=np.array(["a", 1], dtype=object))
    with pytest.raises(InputError, match=r"y\.npy: expected plain numbers or texts, found Python objects"):
        find_arrays(tmp_path / "b.npz")


def test_what_is_not_read_is_named(tmp_path):
    steps, labels = np.zeros((4, 3)), np.arange(4) % 2
    np.savez(tmp_path / "a.npz", X_train=steps, y_train=labels, X_test=steps, mask=steps)
    assert find_arrays(tmp_path / "a.npz").schema.notes == (
        "X_test has no labels beside it: it is data to predict (auxrnn predict), and not read here.",
        "Arrays that are not read: mask.",
    )
    assert find_arrays(tmp_path / "a.npz", labelled=False).schema.notes == ()


@pytest.mark.parametrize(("train", "test"), [("{}_training", "{}_testing"), ("train_{}", "holdout_{}")])
def test_splits_under_any_name(tmp_path, train, test):
    steps, labels = np.zeros((4, 3)), np.arange(4) % 2
    arrays = {name.format(kind): array for name in (train, test) for kind, array in (("X", steps), ("y", labels))}
    np.savez(tmp_path / "a.npz", **arrays)
    reader = find_arrays(tmp_path / "a.npz")
    assert [row.split for row in reader.examples()] == ["train"] * 4 + ["test"] * 4
    assert reader.schema.notes == ()
