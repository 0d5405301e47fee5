"""DBpedia's CSV, written here in tiny: contents to characters, and every fault with its file and row."""

import io
import tarfile

import pytest
import torch

from auxrnn.errors import InputError
from auxrnn.sources.dbpedia import CLASSES, find_folder, load_dbpedia, read_rows, read_split
from auxrnn.sources.options import DataOptions

TRAIN = b'1,"A","abba"\n2,"","say ""b"", c"\r\n14,"Z"," \xc3\xa9"\n'
TEST = b'2,"Q","zebra"\n'


def write(folder, train=TRAIN, test=TEST):
    folder.mkdir(parents=True)
    (folder / "train.csv").write_bytes(train)
    (folder / "test.csv").write_bytes(test)


@pytest.mark.parametrize("place", ["dbpedia", "dbpedia/dbpedia_csv"])
def test_contents_alone_from_either_place(tmp_path, place):
    write(tmp_path / place)
    assert read_split("train", tmp_path, download=False) == ([0, 1, 13], ["abba", 'say "b", c', " é"])
    assert read_split("test", tmp_path, download=False) == ([1], ["zebra"])
    assert find_folder(tmp_path) == tmp_path / place


def test_the_archive_is_unpacked(tmp_path):
    folder = tmp_path / "dbpedia"
    folder.mkdir()
    with tarfile.open(folder / "dbpedia_csv.tar.gz", "w:gz") as tar:
        for name, content in (("readme.txt", b"hello"), ("train.csv", TRAIN), ("test.csv", TEST)):
            info = tarfile.TarInfo(f"dbpedia_csv/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    assert read_split("train", tmp_path, download=False)[0] == [0, 1, 13]
    assert find_folder(tmp_path) == folder / "dbpedia_csv"


def test_nothing_there(tmp_path):
    assert find_folder(tmp_path) is None
    with pytest.raises(InputError, match=r"dbpedia_csv\.tar\.gz.*switched off"):
        read_split("train", tmp_path, download=False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'1,"only two"\n', r"expected 3 fields \(class, title, content\), found 2"),
        (b'1,"a","b","c"\n', "found 4"),
        (b'0,"a","b"\n', "expected a class from 1 to 14, found '0'"),
        (b'15,"a","b"\n', "expected a class from 1 to 14, found '15'"),
        (b'one,"a","b"\n', "expected a class from 1 to 14, found 'one'"),
        (b'1,"a",""\n', "a content of at least one character, found none"),
        (b'1,"a","caf\xe9"\n', "expected text in utf-8, found other bytes"),
        (b'1,"a","never closed\n', "a row of a table, found"),
        (b'1,"a","b"x\n', "a row of a table, found"),
    ],
)
def test_faults_name_file_and_row(tmp_path, line, message):
    (tmp_path / "train.csv").write_bytes(b'1,"a","b"\n' + line)
    with pytest.raises(InputError, match=rf"train\.csv, row (2|1 or soon after): .*{message}"):
        list(read_rows(tmp_path / "train.csv"))


def test_an_empty_file(tmp_path):
    write(tmp_path / "dbpedia", test=b"")
    with pytest.raises(InputError, match=r"test\.csv: expected rows .* found none"):
        read_split("test", tmp_path)


ROWS = ([0, 0, 1, 2], ["abba", "cab", "b", "zz"])
TESTED = ([1, 2, 0], ["bax", "zzz", "aaaaaa"])


def test_vocabulary_of_the_training_text_and_unknown_characters():
    data = load_dbpedia(ROWS, TESTED, DataOptions(), 0)
    assert data.train.characters == data.test.characters == "abcz"
    assert data.train.spec.size == 5
    assert [sequence.tolist() for sequence in data.train.inputs] == [[1, 2, 2, 1], [3, 1, 2], [2], [4, 4]]
    assert data.test.inputs[0].tolist() == [2, 1, 0]
    assert data.train.inputs[0].dtype == torch.uint8
    assert data.train.classes == CLASSES
    assert data.remarks == (
        "4 characters are known; 0.000% of the training text and 8.333% of the test text are others, all one number",
    )


def test_a_cut_says_how_many_texts_it_touches():
    data = load_dbpedia(ROWS, TESTED, DataOptions(max_length=2), 0)
    assert data.train.lengths.tolist() == [2, 2, 1, 2]
    assert data.test.lengths.tolist() == [2, 2, 2]
    assert data.remarks[0].endswith("2 of 4 to train, 3 of 3 to test")
    assert data.train.note == "cut at 2 characters"


def test_fewer_classes_characters_and_sequences():
    data = load_dbpedia(ROWS, TESTED, DataOptions(limit_classes=2, limit_train=2, limit_test=2, max_vocabulary=1), 0)
    assert data.train.labels.tolist() == [0, 1]
    assert data.test.labels.tolist() == [1, 0]
    assert data.train.classes == CLASSES[:2]
    assert len(data.train.characters) == 1


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_option_of_too_small_a_limit_is_named(split):
    with pytest.raises(InputError, match=f"--limit_{split} of at least 2"):
        load_dbpedia(ROWS, TESTED, DataOptions(limit_classes=2, **{f"limit_{split}": 1}), 0)
