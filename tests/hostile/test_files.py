"""Files of one's own, archives and names that cannot be used."""

import io
import os
import struct
import tarfile
import zlib

import numpy as np
import pytest

from auxrnn.cli import main
from auxrnn.sources import delimited, media, texts
from own_files import changed, write_csv, write_image, write_wave


def parquet(path, rows):
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return path


def text_rows(number=8):
    return [{"text": f"a {index}", "label": "ab"[index % 2]} for index in range(number)]


def step_rows(number=8):
    return [{"id": f"s{i}", "time": t, "v": i + t / 10, "label": "ab"[i % 2]} for i in range(number) for t in range(3)]


def classes(folder, write, number=3):
    """One subfolder a class, `number` files in each; `write(path, index)`."""
    for index in range(2 * number):
        path = folder / "data" / "ab"[index % 2] / f"{index}"
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, index)
    return folder / "data"


def pictures(folder):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 4, 4), dtype=np.uint8)
    return classes(folder, lambda path, index: write_image(path.with_suffix(".png"), pixels[index]))


def sounds(folder):
    return classes(folder, lambda path, index: write_wave(path.with_suffix(".wav"), range(5 + index)))


def flacs(folder):
    import soundfile

    noise = np.random.default_rng(0).normal(0, 0.1, 4000)
    return classes(folder, lambda path, index: soundfile.write(path.with_suffix(".flac"), noise, 8000))


def documents(folder):
    return classes(folder, lambda path, index: path.with_suffix(".txt").write_text(f"text {index}"))


def with_file(source, name, content):
    """A source of many files with one of them replaced."""
    (source / name).write_bytes(content)
    return source


def series(folder, *cases, header="@classLabel true a b"):
    lines = [f"{i},{i + 1}.5:{'ab'[i % 2]}" for i in range(8)]
    return write_csv(folder / "s.ts", "@problemName p", header, "@data", *lines, *cases)


def arrays(folder, name="a.npz", **changes):
    content = {"X": np.random.default_rng(0).normal(size=(8, 5, 2)), "y": np.arange(8) % 2} | changes
    if name == "a.npz":
        np.savez(folder / name, **content)
        return folder / name
    np.save(folder / "y.npy", content["y"])
    np.save(folder / "X.npy", content["X"])
    return folder / "X.npy"


def header_of(shape):
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return stream.getvalue()


def table(folder, *lines, name="t.csv", encoding="utf-8"):
    return write_csv(folder / name, *lines, encoding=encoding)


def steps(folder, *lines):
    return table(folder, "id,time,v,label", *lines, name="s.csv")


def listed(folder, *rows):
    documents(folder)
    known = [f"data/{'ab'[index % 2]}/{index}.txt,{'ab'[index % 2]}" for index in range(6)]
    return table(folder, "path,label", *known, *rows, name="list.csv")


def png_of(columns, rows):
    """The beginning of a PNG that announces so many pixels."""
    chunks = ((b"IHDR", struct.pack(">2I5B", columns, rows, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(99))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )


def longer_header(folder):
    """Recordings of which one announces a gigabyte."""
    source = sounds(folder)
    changed(source / "a" / "0.wav", 40, 44, struct.pack("<I", 2**30))
    return source


def endless_flac(folder):
    """Recordings of which one announces 2**35 samples."""
    source = flacs(folder)
    path = source / "a" / "0.flac"
    whole = path.read_bytes()
    changed(path, 21, 22, bytes([whole[21] | 0x0F]))  # the upper bits of STREAMINFO's count
    return source


def no_picture(folder):
    return with_file(pictures(folder), "a/0.png", b"RIFF0000WAVEfmt ")


BAD_FILES = {
    # tables of texts
    "csv broken": (lambda f: table(f, "text,label", "a b,x", '"never closed,y'), "Unclosed quote"),
    "csv empty": (table, "found an empty file"),
    "csv without rows": (lambda f: table(f, "text,label"), "expected at least one sequence"),
    "csv enormous": (lambda f: table(f, "text,label", "a " * 3000 + ",x"), "field larger than field limit"),
    "csv mislabelled": (lambda f: parquet(f / "t.parquet", text_rows()).rename(f / "t.csv"), "expected"),
    "csv without labels": (lambda f: table(f, "text,label", "a b,x", "c d,"), "expected a label"),
    "csv wrongly encoded": (lambda f: table(f, "text,label", "ä b,x", encoding="latin-1"), "--encoding latin-1"),
    "csv in utf-16": (lambda f: table(f, "text,label", "a b,x", encoding="utf-16"), "--encoding"),
    "tsv broken": (lambda f: table(f, "text\tlabel", "a b\tx\ty", name="t.tsv"), "expected 2 cells"),
    "tsv empty": (lambda f: table(f, name="t.tsv"), "found an empty file"),
    "tsv enormous": (lambda f: table(f, "text\tlabel", "a " * 3000 + "\tx", name="t.tsv"), "field limit"),
    "tsv mislabelled": (lambda f: table(f, "text,label", "a b,x", name="t.tsv"), "expected --label COLUMN"),
    "tsv wrongly encoded": (
        lambda f: table(f, "text\tlabel", "é b\tx", name="t.tsv", encoding="latin-1"),
        "--encoding",
    ),
    "parquet broken": (lambda f: changed(parquet(f / "t.parquet", text_rows()), 30, 60), "expected Parquet"),
    "parquet empty": (lambda f: write_csv(f / "t.parquet"), "found an empty file"),
    "parquet without rows": (
        lambda f: changed(parquet(f / "t.parquet", text_rows()), 0, 10**6, b"PAR1PAR1"),
        "expected Parquet",
    ),
    "parquet enormous": (
        lambda f: parquet(f / "t.parquet", [{"text": "a " * 3000, "label": "x"}, *text_rows()]),
        "at most 4,000 characters",
    ),
    "parquet mislabelled": (lambda f: table(f, "text,label", "a,b", name="t.parquet"), "expected Parquet"),
    "parquet wrongly encoded": (
        lambda f: parquet(f / "t.parquet", [{"text": b"\xff \xfe", "label": "x"}]),
        "expected",
    ),
    # long-form tables
    "steps broken": (lambda f: steps(f, "1,0,fast,a"), "expected --features"),
    "steps broken later": (lambda f: steps(f, *(f"{i},0,1,a" for i in range(300)), "x,0,fast,a"), "got 'fast'"),
    "steps empty": (steps, "found no rows below the columns"),
    "steps enormous": (lambda f: steps(f, "1,0,1e999,a", "2,0,1,b"), "finite"),
    "steps mislabelled": (lambda f: steps(f, "1,0,1,a", "1,1,1,b"), "expected one label for all rows of a sequence"),
    "steps wrongly encoded": (lambda f: table(f, "id,time,v,label", "é,0,1,a", encoding="latin-1"), "--encoding"),
    "steps of one id apart": (lambda f: steps(f, "1,0,1,a", "2,0,1,a", "1,1,1,a"), "under each other"),
    "steps in parquet broken": (lambda f: changed(parquet(f / "s.parquet", step_rows()), 20, 60), "expected Parquet"),
    # lists of files
    "list broken": (lambda f: listed(f, "data/a/none.txt,a"), "found no file"),
    "list empty": (lambda f: table(f, "path,label"), "found no rows below the columns"),
    "list mislabelled": (lambda f: listed(f, "data/a/0.txt,"), "expected a label"),
    "list wrongly encoded": (
        lambda f: with_file(listed(f).parent, "data/a/0.txt", b"\xff\xfe\xff") / "list.csv",
        "--encoding",
    ),
    "list enormous": (lambda f: with_file(listed(f).parent, "data/a/0.txt", b"a" * 9000) / "list.csv", "at most"),
    # folders of images
    "image broken": (lambda f: changed(pictures(f) / "a" / "0.png", 45, 90).parents[1], "expected an image"),
    "image empty": (lambda f: with_file(pictures(f), "a/0.png", b""), "expected an image"),
    "image enormous": (lambda f: with_file(pictures(f), "a/0.png", png_of(60_000, 60_000)), "usual size"),
    "image mislabelled": (no_picture, "expected an image"),
    "images of two sizes": (
        lambda f: write_image(pictures(f) / "a" / "9.png", np.eye(3, dtype=np.uint8)).parents[1],
        "of one size",
    ),
    "images among sounds": (lambda f: write_wave(pictures(f) / "a" / "9.wav", [1]).parents[1], "files of one kind"),
    # folders of recordings
    "wav broken": (lambda f: changed(sounds(f) / "a" / "0.wav", 48, 99).parents[1], "as its header says"),
    "wav empty": (lambda f: with_file(sounds(f), "a/0.wav", b""), "expected a wav file"),
    "wav enormous": (longer_header, "as its header says"),
    "wav mislabelled": (lambda f: with_file(sounds(f), "a/0.wav", png_of(4, 4)), "expected a wav file"),
    "wav wrongly encoded": (lambda f: changed(sounds(f) / "a" / "0.wav", 20, 22, b"\3\0").parents[1], "expected a wav"),
    "flac broken": (lambda f: changed(flacs(f) / "a" / "0.flac", 3000, 10**6).parents[1], "flac"),
    "flac empty": (lambda f: with_file(flacs(f), "a/0.flac", b""), "expected a flac file"),
    "flac enormous": (endless_flac, "expected a whole recording"),
    "flac mislabelled": (lambda f: with_file(flacs(f), "a/0.flac", b"RIFF0000WAVE"), "begins with"),
    # folders of texts
    "text broken": (lambda f: with_file(documents(f), "a/0.txt", b"\0\xff\xfe\0"), "--encoding"),
    "text empty": (lambda f: with_file(documents(f), "a/0.txt", b""), "at least one character"),
    "text enormous": (lambda f: with_file(documents(f), "a/0.txt", b"a" * 9000), "at most"),
    "text mislabelled": (lambda f: with_file(documents(f), "a/0.txt", png_of(4, 4)), "--encoding"),
    "text wrongly encoded": (lambda f: with_file(documents(f), "a/0.txt", "ä".encode("latin-1")), "--encoding"),
    # arrays
    "npz broken": (lambda f: changed(arrays(f), 400, 500), "NumPy"),
    "npz empty": (lambda f: write_csv(f / "a.npz"), "found an empty file"),
    "npz without sequences": (lambda f: arrays(f, X=np.zeros((0, 5, 2)), y=np.zeros(0, int)), "at least one sequence"),
    "npz enormous": (lambda f: arrays(f, X=np.zeros((8, 0, 2))), "expected an array"),
    "npz mislabelled": (lambda f: arrays(f, y=np.arange(7)), "expected one label a sequence"),
    "npz of objects": (lambda f: arrays(f, X=np.array([{}] * 8)), "never unpickled"),
    "npz wrongly encoded": (lambda f: arrays(f, X=np.array([["a"]] * 8)), "expected numbers"),
    "npy broken": (lambda f: changed(arrays(f, "X.npy"), 300, 10**6), "the file ends at"),
    "npy empty": (lambda f: write_csv(f / "X.npy"), "found an empty file"),
    "npy enormous": (lambda f: changed(arrays(f, "X.npy"), 0, 128, header_of((8, 10**12))), "at most 2 GiB"),
    "npy that lies": (lambda f: changed(arrays(f, "X.npy"), 0, 128, header_of((8, 10**8))), "bytes in all"),
    "npy mislabelled": (lambda f: arrays(f, "X.npy", y=np.zeros((8, 2))), "expected one label a sequence"),
    "npy alone": (lambda f: (arrays(f, "X.npy"), (f / "y.npy").unlink())[0], "y.npy"),
    "npy wrongly encoded": (lambda f: changed(arrays(f, "X.npy"), 1, 6, b"numpy"), "expected a NumPy"),
    # .ts
    "ts broken": (lambda f: series(f, "1,2:3,4:a"), "expected 1 dimensions and a label, got 2"),
    "ts empty": (lambda f: write_csv(f / "s.ts"), "found an empty file"),
    "ts without cases": (
        lambda f: write_csv(f / "s.ts", "@classLabel true a b", "@data"),
        "expected cases after @data",
    ),
    "ts enormous": (lambda f: series(f, "1e999:a"), "finite"),
    "ts mislabelled": (lambda f: series(f, "1:c"), "expected a class of the header's"),
    "ts of another kind": (lambda f: series(f, header="@timeStamps true"), "time stamps"),
    "ts wrongly encoded": (lambda f: changed(series(f), 12, 13, b"\xff"), "--encoding"),
    # what is nothing known
    "unknown": (lambda f: table(f, "x", name="t.xlsx"), "found a file ending in .xlsx"),
    "empty folder": (lambda f: (f / "none").mkdir() or f / "none", "found nothing"),
    "class without files": (lambda f: ((documents(f) / "c").mkdir(), f / "data")[1], "expected files of class 'c'"),
}


NUMBERS = {"nan": "Say what to do: --missing", "inf": "finite"}


BAD_CONTENTS = {
    **{
        f"{word} in {name}": (write, message)
        for word, message in NUMBERS.items()
        for name, write in {
            "steps": lambda f, word=word: steps(f, *(f"{i},0,{word if i == 3 else i},{'ab'[i % 2]}" for i in range(8))),
            "parquet": lambda f, word=word: parquet(
                f / "s.parquet",
                [{**row, "v": float(word) if i == 3 else row["v"]} for i, row in enumerate(step_rows())],
            ),
            "npz": lambda f, word=word: arrays(f, X=np.where(np.arange(80) == 7, float(word), 1).reshape(8, 5, 2)),
            "npy": lambda f, word=word: arrays(f, "X.npy", X=np.where(np.arange(8) == 7, float(word), 1).reshape(8, 1)),
            "ts": lambda f, word=word: series(f, f"1,{word}:a"),
        }.items()
    },
    "one member in csv": (
        lambda f: table(f, "text,label", "a b,x", "c d,x", "e f,y"),
        "at least 2 sequences of class 'y'",
    ),
    "one member in steps": (lambda f: steps(f, "1,0,1,a", "2,0,2,a", "3,0,3,b"), "at least 2 sequences of class 'b'"),
    "one member in npz": (lambda f: arrays(f, y=np.array([0] * 7 + [1])), "at least 2 sequences of class '1'"),
    "one member in ts": (
        lambda f: series(f, "1:c", header="@classLabel true a b c"),
        "at least 2 sequences of class 'c'",
    ),
    "one member in a folder": (
        lambda f: write_image(pictures(f) / "c" / "0.png", np.eye(4, dtype=np.uint8)).parents[1],
        "at least 2 sequences of class 'c'",
    ),
    "one class": (lambda f: table(f, "text,label", "a b,x", "c d,x"), "at least 2 classes, got 1 class"),
    "mixed labels in csv": (lambda f: table(f, "text,label", "a b,1", "c d,x"), "If both are meant"),
    "mixed labels in steps": (lambda f: steps(f, "1,0,1,7", "2,0,2,x"), "If both are meant"),
    "mixed labels in parquet": (
        lambda f: parquet(f / "t.parquet", [{"text": "a b", "label": word} for word in ("1", "x", "1", "x")]),
        "If both are meant",
    ),
    "mixed labels in npz": (lambda f: arrays(f, y=np.array(["1", "a"] * 4)), "If both are meant"),
    "mixed labels in a folder": (
        lambda f: write_image(pictures(f) / "7" / "0.png", np.eye(4, dtype=np.uint8)).parents[1],
        "If both are meant",
    ),
    "measured labels in csv": (lambda f: table(f, "text,label", "a b,0.5", "c d,0.7"), "measured values"),
    "measured labels in npz": (lambda f: arrays(f, y=np.arange(8) / 3), "measured values"),
    "no step in csv": (lambda f: table(f, "text,label", "a b,x", ",y"), "at least one character"),
    "no step in npz": (lambda f: arrays(f, lengths=np.arange(8) % 6), "at least one step, got a sequence of length 0"),
    "no step in ts": (lambda f: series(f, ":a"), "at least one step, got a sequence of length 0"),
    "no step in wav": (lambda f: write_wave(sounds(f) / "a" / "9.wav", []).parents[1], "at least one step"),
}


@pytest.fixture
def smaller_limits(monkeypatch):
    """So that what is enormous need not take gigabytes here."""
    monkeypatch.setattr(delimited, "LARGEST_CELL", 4000)
    monkeypatch.setattr(texts, "LARGEST_CELL", 4000)
    monkeypatch.setattr(media, "LARGEST_DOCUMENT", 4000)


@pytest.mark.parametrize("case", [*BAD_FILES, *BAD_CONTENTS])
def test_files_of_ones_own(told, tmp_path, smaller_limits, case):
    write, message = (BAD_FILES | BAD_CONTENTS)[case]
    source = write(tmp_path).relative_to(tmp_path)
    found = told("train", f"./{source}", "--out", "run")
    assert message in found
    assert told("data", "import", f"./{source}", "--out", "set") == found


@pytest.mark.parametrize("model", ["lstm", "r-lstm", "p-lstm"])
def test_sequences_of_one_step_are_learned_from(tmp_path, model):
    source = steps(tmp_path, *(f"{i},0,{i % 2 + i / 100},{'ab'[i % 2]}" for i in range(40)))
    small = [
        "--max_epochs=1",
        "--pretrain_epochs=1",
        "--hidden_size=3",
        "--accelerator=cpu",
        f"--out={tmp_path / 'run'}",
    ]
    assert main(["train", str(source), f"--model={model}", *small]) == 0
    assert main(["predict", str(tmp_path / "run"), str(source)]) == 0


def tar_of(path, member):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(member) if isinstance(member, str) else member)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zlib.compress(stream.getvalue(), wbits=31))


def link(kind, target):
    info = tarfile.TarInfo("cifar-10-batches-bin")
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ("../../evil", "a path inside the folder"),
        ("/tmp/evil", "a path inside the folder"),
        (link(tarfile.SYMTYPE, "/"), "found a link"),
        (link(tarfile.LNKTYPE, "../x"), "found a link"),
    ],
)
def test_archives(told, tmp_path, member, message):
    tar_of(tmp_path / "data" / "cifar10" / "cifar-10-binary.tar.gz", member)
    for words in (["train", "cifar10", "--out", "run"], ["data", "show", "cifar10"]):
        assert message in told(*words, "--data_dir", "data")


def test_pipes_are_not_waited_for(told, tmp_path, finished_run):
    for name in "ab":
        (tmp_path / "in" / name).mkdir(parents=True)
        os.mkfifo(tmp_path / "in" / name / "p.wav")
    assert "p.wav: expected a regular file" in told("train", "in", "--out", "run")
    (tmp_path / "list.csv").write_text("path,label\n" + "".join(f"in/{name}/p.wav,{name}\n" for name in "ab"))
    assert "list.csv, row 2 (in/a/p.wav): expected a regular file" in told("train", "list.csv", "--out", "run")
    os.mkfifo(tmp_path / "x.png")
    assert "x.png: expected a file" in told("predict", finished_run, "x.png")


def test_nothing_is_written_into_what_is_read(told, tmp_path, monkeypatch):
    pictures(tmp_path)
    for words in (["train", "data"], ["data", "import", "data"]):
        assert "data/new: expected a place outside of data, whose" in told(*words, "--out", "data/new")
    assert "data/a/sheet.png: expected a place outside of data" in told(
        "data", "show", "data", "--out", "data/a/sheet.png"
    )
    monkeypatch.chdir(tmp_path / "data")
    assert "runs/data-lstm-0: expected a place outside of ." in told("train", ".")


def test_a_class_that_would_clear_the_screen(told, tmp_path):
    rows = "".join(f"text {row},{'a' if row % 2 else 'b' + chr(27) + '[2J'}\n" for row in range(8))
    (tmp_path / "evil.csv").write_text("text,label\n" + rows)
    for words in (["train", "evil.csv", "--out", "run"], ["data", "verify", "evil.csv"]):
        assert r"evil.csv, row 2: expected a name in UTF-8 without control characters, got 'b\x1b[2J'" in told(*words)


def test_a_class_of_bytes_that_are_no_text(told, tmp_path):
    folder = pictures(tmp_path)
    os.rename(folder / "b", os.path.join(os.fsencode(folder), b"caf\xe9"))
    for words in (
        ["train", "data", "--out", "run"],
        ["data", "verify", "data"],
        ["data", "import", "data", "--out", "s"],
    ):
        assert r"expected a name in UTF-8 without control characters, got 'caf\udce9'" in told(*words)


def test_a_label_of_more_digits_than_python_reads(told, tmp_path):
    rows = "".join(f"{row},{step},1.0,{row % 2 + 1}{'0' * 5000}\n" for row in range(8) for step in range(3))
    (tmp_path / "big.csv").write_text("id,time,a,label\n" + rows)
    assert "at most 100 digits as label" in told("train", "big.csv", "--out", "run")
