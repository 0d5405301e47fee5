"""Sets by name, their limits, and what verify says of good, missing, different and damaged files."""

import gzip
import os
import re
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from auxrnn.errors import InputError, did_you_mean
from auxrnn.sources import published
from auxrnn.sources.options import DataOptions
from auxrnn.sources.presets import MNIST_FILES, MNIST_MIRRORS, PRESETS, file_hash
from auxrnn.sources.published import fetch_files, load, verify


def write_idx(path, array):
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.astype(np.uint8).tobytes()))


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mnist").mkdir()
    for prefix, number in (("train", 40), ("t10k", 10)):
        write_idx(tmp_path / "mnist" / f"{prefix}-images-idx3-ubyte.gz", np.zeros((number, 28, 28)))
        write_idx(tmp_path / "mnist" / f"{prefix}-labels-idx1-ubyte.gz", np.arange(number) % 10)
    return tmp_path


@pytest.fixture
def everything(folder):
    """A tiny copy of every set: 20 sequences of 10 classes (dogs and texts: 2 of 2)."""
    image = pytest.importorskip("PIL.Image")
    (folder / "cifar10").mkdir()
    for name in (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"):
        rows = np.zeros((20, 3073), dtype=np.uint8)
        rows[:, 0] = np.arange(20) % 10
        (folder / "cifar10" / f"{name}.bin").write_bytes(rows.tobytes())
    for split in ("train", "test"):
        names = [f"n0{breed}-Breed{breed}/{split}.png" for breed in (1, 2)]
        for name in names:
            path = folder / "stanford-dogs" / "Images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image.fromarray(np.zeros((5, 5, 3), dtype=np.uint8)).save(path)
        (folder / "stanford-dogs" / f"{split}_list.txt").write_text("\n".join(names))
        (folder / "dbpedia").mkdir(exist_ok=True)
        (folder / "dbpedia" / f"{split}.csv").write_text('1,"","abc"\n2,"","cab"\n')
    return folder


def test_the_table_tells_the_truth():
    row, data = PRESETS["digits"], load("digits")
    assert (len(data.train), len(data.test)) == (row.train, row.test)
    assert data.train.name == data.test.name == row.name
    assert data.train.inputs.shape[1] == row.steps
    assert len(data.train.classes) == row.classes


@pytest.mark.parametrize("name", PRESETS)
def test_every_row_can_be_loaded_from_its_files(everything, name):
    row, data = PRESETS[name], load(name, everything, download=False)
    assert data.train.name == row.name
    if row.kind == "texts":
        assert data.train.spec.kind == "characters"
    else:
        assert data.train.inputs[0].shape == (row.steps, 3 if row.kind == "colour images" else 1)
    assert len(data.train.classes) <= row.classes
    other = any("figures are not comparable" in remark for remark in data.remarks)
    assert other == (name not in ("digits", "latching"))


@pytest.mark.parametrize("name", [name for name, row in PRESETS.items() if row.kind.endswith("images")])
def test_every_image_set_can_be_made_smaller(everything, name):
    grey = PRESETS[name].kind == "colour images"
    data = load(name, everything, DataOptions(image_size=4, grey=grey, limit_classes=2), download=False)
    assert data.train.image_shape == data.test.image_shape == (4, 4)
    assert data.train.inputs.shape[1:] == (16, 1)
    assert set(data.train.labels.tolist()) == set(data.test.labels.tolist()) == {0, 1}
    assert len(data.train.classes) == 2
    assert "the first 2 classes alone" in data.remarks


def test_a_smaller_pmnist_is_shrunk_before_it_is_permuted(folder):
    options = DataOptions(image_size=14)
    plain, shuffled = (load(name, folder, options, download=False).train for name in ("mnist", "pmnist"))
    assert sorted(shuffled.pixel_order.tolist()) == list(range(196))
    assert torch.equal(shuffled.inputs, plain.inputs[:, shuffled.pixel_order])


def test_limits_are_by_class(folder):
    data = load("mnist", folder, DataOptions(limit_train=20), seed=1, download=False)
    assert data.train.labels.bincount().tolist() == [2] * 10
    assert len(data.test) == 10
    data = load("mnist", folder, DataOptions(limit_classes=5, limit_test=5), seed=1, download=False)
    assert (len(data.train), data.test.labels.tolist()) == (20, [0, 1, 2, 3, 4])
    assert "tested on 5 sequences, drawn by class with seed 1, not on all" in data.remarks


def test_an_option_that_does_not_fit_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(InputError, match="no max_length"):
        load("mnist", tmp_path / "nothing", DataOptions(max_length=3))


def test_the_seed_of_the_limit_matters():
    inputs = [load("digits", options=DataOptions(limit_train=100), seed=seed).train.inputs for seed in (0, 0, 1)]
    assert torch.equal(inputs[0], inputs[1])
    assert not torch.equal(inputs[0], inputs[2])


def test_too_large_a_limit():
    with pytest.raises(InputError, match="--limit_train of at most the 1397"):
        load("digits", options=DataOptions(limit_train=1398))


def test_unknown_name():
    with pytest.raises(InputError, match=r"among digits, mnist, .*, got 'mnits'\. Did you mean 'mnist'\?"):
        load("mnits")
    with pytest.raises(InputError, match=r"got 'zzz'\.$"):
        verify("zzz")


def test_did_you_mean():
    assert did_you_mean("PMNIST", PRESETS) == " Did you mean 'pmnist'?"
    assert did_you_mean("", PRESETS) == ""


def test_verify_missing_different_and_damaged_files(folder):
    names = [file.name for file in MNIST_FILES]
    checks = verify("mnist", folder)
    assert [check.name for check in checks] == [*names, "mnist (train)", "mnist (test)"]
    assert {check.state for check in checks} == {"different"}
    assert MNIST_FILES[0].hash in checks[0].message
    assert file_hash(folder / "mnist" / names[0], "md5") in checks[0].message
    assert [(check.count, check.per_class) for check in checks[4:]] == [(40, (4,) * 10), (10, (1,) * 10)]
    images = folder / "mnist" / names[0]
    images.write_bytes(images.read_bytes()[:-9])
    assert [check.state for check in verify("mnist", folder)] == ["different"] * 4 + ["damaged"]
    assert "whole gzip file" in verify("mnist", folder)[4].message
    images.unlink()
    checks = verify("mnist", folder)
    assert [check.state for check in checks] == ["different"] * 3 + ["missing"]
    assert "auxrnn data fetch" in checks[3].message


def test_verify_knows_the_published_file(folder):
    path = folder / "mnist" / MNIST_FILES[3].name
    known = replace(MNIST_FILES[3], hash=file_hash(path, "md5"))
    assert published._verify_file(known, path).state == "ok"


@pytest.mark.parametrize("name", ["cifar10", "stanford-dogs", "dbpedia"])
def test_verify_reads_and_counts(everything, name):
    checks = verify(name, everything)
    assert all("as published: usable, figures are not comparable" in check.message for check in checks)
    train = {"cifar10": (10,) * 10, "stanford-dogs": (1, 1), "dbpedia": (1, 1, *(0,) * 12)}[name]
    test = {"cifar10": (2,) * 10}.get(name, train)
    assert [(check.state, check.per_class) for check in checks] == [("different", train), ("different", test)]


def test_verify_names_the_faulty_file(everything):
    (everything / "cifar10" / "data_batch_2.bin").write_bytes(b"x")
    (everything / "dbpedia" / "test.csv").write_text('1,"","abc"\n16,"","cab"\n')
    (everything / "stanford-dogs" / "Images" / "n02-Breed2" / "test.png").write_bytes(b"x")
    for name, told in (("cifar10", "data_batch_2"), ("dbpedia", r"test\.csv, row 2"), ("stanford-dogs", "row 2")):
        (check,) = verify(name, everything)
        assert check.state == "damaged"
        assert re.search(told, check.message)


@pytest.mark.parametrize("name", ["cifar10", "stanford-dogs", "dbpedia"])
def test_verify_without_files(tmp_path, name):
    assert [check.state for check in verify(name, tmp_path)] == ["missing"]


def test_verify_compares_an_archive_with_the_published_one(everything):
    (everything / "cifar10" / "cifar-10-binary.tar.gz").write_bytes(b"another")
    check = verify("cifar10", everything)[0]
    assert (check.name, check.state) == ("cifar-10-binary.tar.gz", "different")
    assert "md5:c32a1d4ab5d03f1284b67883e8d87530 and 170,052,171 bytes, found md5:" in check.message


def test_verify_embedded():
    checks = verify("digits")
    assert [(check.state, check.count) for check in checks] == [("ok", 1397), ("ok", 400)]
    assert sum(checks[1].per_class) == 400


def test_fetch_files_takes_what_is_there(folder):
    assert fetch_files("pmnist", folder) == [folder / "mnist" / file.name for file in MNIST_FILES]
    assert fetch_files("digits", folder) == []


def test_fetch_asks_for_no_archive_of_what_is_unpacked(everything):
    for name in ("cifar10", "stanford-dogs", "dbpedia"):
        assert fetch_files(name, everything) == [everything / name]


def test_every_file_has_two_addresses_and_an_md5():
    for file in MNIST_FILES:
        assert file.urls == tuple(mirror + file.name for mirror in MNIST_MIRRORS)
        assert len(file.hash) == len("md5:") + 32


def test_the_table_needs_no_torch():
    """`auxrnn --help` reads the table: neither torch nor anything else that is slow may come with it."""
    package = Path(published.__file__).parents[2]
    code = (
        "import sys; import auxrnn.sources.presets; "
        "print([name for name in ('torch', 'numpy', 'requests', 'sklearn', 'PIL') if name in sys.modules])"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == "[]"


def test_the_real_files_are_the_published_ones():
    given = os.environ.get("AUXRNN_DATA_DIR", "")
    if not (given and all((Path(given) / "mnist" / file.name).is_file() for file in MNIST_FILES)):
        pytest.skip("needs the four MNIST files in $AUXRNN_DATA_DIR/mnist")
    checks = verify("mnist", given)
    assert [check.state for check in checks] == ["ok"] * 6
    assert [check.count for check in checks[4:]] == [60_000, 10_000]
