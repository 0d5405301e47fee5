"""What is written is read again, whatever it is; and bytes of any kind lead to a result or an InputError.

The writers are those of other libraries, or the obvious loop.
"""

import csv
import gzip
import io
import json
import string
import struct
import tarfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from auxrnn.config.reading import ReadingOptions
from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources import cifar, dbpedia, dogs, feeds, idx, inputs
from auxrnn.sources.archives import unpack
from auxrnn.sources.collect import fill_missing
from auxrnn.sources.importing import import_source, read_source
from auxrnn.sources.loading import load_files
from auxrnn.sources.recognise import recognise
from auxrnn.sources.splits import limit_stratified, stratified_split
from auxrnn.sources.stored import open_set
from auxrnn.sources.vocabulary import encode, learn_characters
from auxrnn.storage.numbers import MISSING_WORDS, number_of
from auxrnn.targets.labelling import Labelling
from own_files import write_image, write_long_form, write_texts, write_wave

OPTIONS = ReadingOptions()

letters = st.characters(exclude_categories=["Cs", "Cc"])
text = st.text(letters, min_size=1, max_size=30).filter(lambda found: found.strip())
finite = st.floats(allow_nan=False, allow_infinity=False, width=64)
gap = st.one_of(finite, st.just(float("nan")))
word = st.sampled_from(["up", "down", "left"])


def new_folder():
    return TemporaryDirectory()


def rows_of(path, **given):
    return list(recognise(path, ReadingOptions(**given)).examples())


def same(one, other):
    return np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


# Any bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".npz", ".npy", ".ts", ".wav", ".flac", ".png", ".txt"])
@given(content=st.binary(max_size=300), encoding=st.sampled_from(["utf-8", "latin-1", "utf-16"]))
def test_any_bytes_are_read_or_refused(suffix, content, encoding):
    with new_folder() as name, suppress(InputError):
        folder = Path(name)
        for index in range(4):
            part = folder / "data" / "ab"[index % 2]
            part.mkdir(parents=True, exist_ok=True)
            (part / f"{index}{suffix}").write_bytes(content)
        alone = suffix in (".csv", ".tsv", ".parquet", ".npz", ".npy", ".ts")
        path = folder / "data" / "a" / f"0{suffix}" if alone else folder / "data"
        load_files(path, ReadingOptions(encoding=encoding))


# Tables ---------------------------------------------------------------------------------------------------------------


@given(
    rows=st.lists(st.tuples(text, word), min_size=1, max_size=8),
    mark=st.sampled_from(",;\t|"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
)
def test_tables_of_texts(rows, mark, encoding):
    with new_folder() as folder:
        path = Path(folder, "t.csv")
        with path.open("w", newline="", encoding=encoding) as file:
            csv.writer(file, delimiter=mark, quoting=csv.QUOTE_ALL).writerows([("text", "label"), *rows])
        found = rows_of(path, encoding=encoding.removesuffix("-sig"), delimiter=mark)
        assert [(row.sequence, row.label) for row in found] == rows
        assert [row.label for row in rows_of(path, encoding=encoding.removesuffix("-sig"))] == [row[1] for row in rows]


@given(rows=st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), word), min_size=1))
def test_parquet_of_texts(rows):
    import pyarrow
    import pyarrow.parquet

    with new_folder() as folder:
        path = Path(folder, "t.parquet")
        columns = {"text": [row[0] for row in rows], "label": [row[1] for row in rows]}
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        assert [(row.sequence, row.label) for row in rows_of(path)] == rows


@given(
    data=st.data(), sequences=st.lists(st.lists(st.tuples(gap, finite), min_size=1, max_size=5), min_size=1, max_size=5)
)
def test_long_form_tables(data, sequences):
    """The rows of a sequence come in any order; time puts them right."""
    with new_folder() as folder:
        path = Path(folder, "s.csv")
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "time", "a", "b", "label"])
            for index, steps in enumerate(sequences):
                for time in data.draw(st.permutations(range(len(steps)))):
                    writer.writerow([f"s{index}", time, *map(repr, steps[time]), "xy"[index % 2]])
        found = rows_of(path, features="a,b")
        assert [row.label for row in found] == ["xy"[index % 2] for index in range(len(sequences))]
        for row, steps in zip(found, sequences, strict=True):
            assert same(row.sequence, np.array(steps))


@given(number=finite)
def test_numbers_in_cells(number):
    assert number_of(repr(number), "here", "value") == number


@given(cell=st.text(max_size=8))
def test_cells_are_numbers_or_gaps_or_refused(cell):
    with suppress(InputError):
        found = number_of(cell, "here", "value")
        assert np.isfinite(found) or cell.strip().lower() in MISSING_WORDS or "nan" in cell.lower()


# Series, arrays -------------------------------------------------------------------------------------------------------


@given(
    cases=st.integers(1, 3).flatmap(
        lambda width: st.lists(hnp.arrays("f8", st.tuples(st.integers(1, 5), st.just(width)), elements=gap), min_size=1)
    )
)
def test_series(cases):
    with new_folder() as folder:
        path = Path(folder, "s.ts")
        lines = [
            ":".join(",".join("?" if np.isnan(v) else repr(float(v)) for v in row) for row in case.T) + ":a"
            for case in cases
        ]
        path.write_text("\n".join(["@classLabel true a b", "@data", *lines]))
        found = rows_of(path)
        assert all(same(row.sequence, case) for row, case in zip(found, cases, strict=True))


@given(
    array=st.sampled_from(["u1", "i2", "<f4", ">f8", "i8", "?"]).flatmap(
        lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5))
    ),
    packed=st.booleans(),
)
def test_arrays(array, packed):
    labels = np.arange(len(array)) % 2
    with new_folder() as name:
        folder = Path(name)
        (np.savez_compressed if packed else np.savez)(folder / "a.npz", X=array, y=labels)
        np.save(folder / "X.npy", array)
        np.save(folder / "y.npy", labels)
        for path in (folder / "a.npz", folder / "X.npy"):
            found = rows_of(path)
            assert [row.label for row in found] == [str(label) for label in labels]
            for row, item in zip(found, array.reshape(*array.shape[:2], -1), strict=True):
                assert row.sequence.dtype == array.dtype
                assert same(row.sequence, item)
        if array.dtype == np.uint8:
            read = inputs.read_inputs(folder / "X.npy", InputSpec("pixels", array[0, 0].size))
            sequences = np.stack([example.sequence for example in read])
            assert np.array_equal(sequences, array.reshape(*array.shape[:2], -1))


# Files in folders -----------------------------------------------------------------------------------------------------


def in_folders(folder, write):
    """Two classes of two files, all alike."""
    for index in range(4):
        path = Path(folder, "data", "ab"[index % 2], str(index))
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path)
    return Path(folder, "data")


@given(
    width=st.sampled_from([1, 2, 3, 4]),
    channels=st.integers(1, 3),
    steps=st.lists(st.floats(-1, 1, exclude_max=True), min_size=1, max_size=9),
)
def test_recordings(width, channels, steps):
    """Any width comes in the units of 16 bits."""
    top = 2 ** (8 * width - 1)
    samples = [int(np.floor(step * top)) for step in steps for _ in range(channels)]
    stored = [sample + 128 for sample in samples] if width == 1 else samples
    with new_folder() as folder:
        source = in_folders(folder, lambda p: write_wave(p.with_suffix(".wav"), stored, width=width, channels=channels))
        for row in rows_of(source):
            expected = np.array(samples).reshape(-1, channels) / top * 2**15
            assert np.array_equal(row.sequence, expected.astype(row.sequence.dtype))


@given(samples=hnp.arrays("i2", st.tuples(st.integers(1, 40), st.integers(1, 2))))
def test_flac(samples):
    import soundfile

    with new_folder() as folder:
        source = in_folders(folder, lambda path: soundfile.write(path.with_suffix(".flac"), samples, 8000))
        assert all(np.array_equal(row.sequence, samples) for row in rows_of(source))


@given(
    pixels=hnp.arrays(
        "u1",
        st.one_of(st.tuples(*[st.integers(1, 6)] * 2), st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3))),
    )
)
def test_images(pixels):
    with new_folder() as folder:
        source = in_folders(folder, lambda path: write_image(path.with_suffix(".png"), pixels))
        for row in rows_of(source):
            assert np.array_equal(row.sequence, pixels.reshape(pixels.shape[0] * pixels.shape[1], -1))
        path = source / "a" / "0.png"
        assert np.array_equal(dogs.decode(path, "x", None, grey=pixels.ndim == 2).reshape(pixels.shape), pixels)


@given(content=text, encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_documents(content, encoding):
    with new_folder() as folder:
        source = in_folders(folder, lambda path: path.with_suffix(".txt").write_bytes(content.encode(encoding)))
        plain = content.removeprefix("\ufeff") if encoding == "utf-8" else content
        assert {row.sequence for row in rows_of(source, encoding=encoding.removesuffix("-sig"))} == {plain}


# What is made of the rows ---------------------------------------------------------------------------------------------


@given(block=st.integers(1, 500), number=st.integers(6, 20), long=st.booleans())
def test_an_import_is_the_same_whatever_its_blocks(block, number, long):
    with new_folder() as name:
        folder = Path(name)
        path = (write_long_form if long else write_texts)(folder, number)
        import_source(path, folder / "set", OPTIONS, lambda line: None, block=block)
        stored, read = open_set(folder / "set"), read_source(path, OPTIONS)
        assert np.array_equal(stored.values, read.values)
        assert np.array_equal(stored.ends, read.ends)
        assert np.array_equal(stored.labels, read.labels)
        assert (stored.classes, stored.characters) == (read.classes, read.characters)


@given(labels=st.lists(st.one_of(st.integers(-99, 99).map(str), st.just("7.0")), min_size=1))
def test_labels_are_counted_and_ordered(labels):
    labelling = Labelling("auto")
    places = [labelling.place(label, "here") for label in labels]
    names = [str(int(float(label))) for label in labels]
    assert [labelling.classes[place] for place in places] == names
    assert dict(zip(labelling.classes, labelling.counts, strict=True)) == Counter(names)
    assert [labelling.classes[place] for place in labelling.order()] == sorted(set(names), key=int)


@given(values=hnp.arrays("f8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=gap))
def test_gaps_are_filled_as_a_slow_loop_does(values):
    gaps = np.isnan(values)
    zero, number = fill_missing(values, "zero", "here")
    assert number == gaps.sum()
    assert same(zero, np.array([[0 if np.isnan(v) else v for v in row] for row in values]))
    dropped, _ = fill_missing(values, "drop", "here")
    assert same(dropped, np.array([row for row in values if not np.isnan(row).any()]).reshape(-1, values.shape[1]))
    if not gaps.all(0).any():
        filled, _ = fill_missing(values, "interpolate", "here")
        assert same(filled[~gaps], values[~gaps])
        assert not np.isnan(filled).any()
    if gaps.any():
        with pytest.raises(InputError, match="expected a value"):
            fill_missing(values, "error", "here")


@given(
    options=st.builds(
        ReadingOptions,
        text=st.none() | st.text(max_size=5),
        missing=st.sampled_from(["error", "zero", "drop", "interpolate"]),
        size=st.none() | st.sampled_from(["3x4", "10X2"]),
        test_fraction=st.floats(0, 1, exclude_min=True, exclude_max=True),
    )
)
def test_reading_options_survive_json(options):
    assert ReadingOptions.from_dict(json.loads(json.dumps(options.to_dict()))) == options


@given(labels=st.lists(st.integers(0, 5), min_size=1, max_size=60), share=st.floats(0, 0.9), seed=st.integers(0, 9))
def test_splits_part_every_class(labels, share, seed):
    kept, held_out = (part.tolist() for part in stratified_split(labels, share, seed))
    assert sorted([*kept, *held_out]) == list(range(len(labels)))
    assert {labels[index] for index in kept} == set(labels)
    for name, count in Counter(labels).items():
        assert abs(sum(labels[index] == name for index in held_out) - share * count * (count > 1)) <= 1
    number = len(set(labels)) + (len(labels) - len(set(labels))) // 2
    limited = limit_stratified(labels, number, seed).tolist()
    assert len(set(limited)) == number
    assert {labels[index] for index in limited} == set(labels)


# Files of the presets -------------------------------------------------------------------------------------------------


@given(array=hnp.arrays("u1", hnp.array_shapes(min_dims=1, max_dims=3, max_side=6)), zipped=st.booleans())
def test_idx(array, zipped):
    content = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()
    with new_folder() as folder:
        path = Path(folder, "idx.gz" if zipped else "idx")
        path.write_bytes(gzip.compress(content) if zipped else content)
        assert np.array_equal(idx.read_idx(path, array.ndim), array)


@given(labels=st.lists(st.integers(0, 255), min_size=1, max_size=3), seed=st.integers(0, 9))
def test_cifar_batches(labels, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3, 1024), dtype=np.uint8)
    with new_folder() as folder:
        path = Path(folder, "batch.bin")
        path.write_bytes(b"".join(bytes([label]) + rows.tobytes() for label, rows in zip(labels, pixels, strict=True)))
        if max(labels) > 9:
            with pytest.raises(InputError, match="label from 0 to 9"):
                cifar.read_batch(path)
        else:
            found, names = cifar.read_batch(path)
            assert names.tolist() == labels
            assert np.array_equal(found, pixels.transpose(0, 2, 1))


parts = st.lists(st.sampled_from(["a", "b", "..", ".", "", "c.txt", "\\", "x:y"]), min_size=1, max_size=4).map("/".join)


@given(members=st.lists(st.tuples(parts, st.binary(max_size=20)), max_size=4), zipped=st.booleans())
def test_archives_stay_in_their_folder(members, zipped):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with new_folder() as place:
        folder = Path(place, "deep", "er")
        folder.mkdir(parents=True)
        archive = Path(place, "a.tar")
        archive.write_bytes(gzip.compress(buffer.getvalue()) if zipped else buffer.getvalue())
        try:
            unpack(archive, folder)
        except InputError:
            assert not list(folder.iterdir())
        else:
            for name, content in members:
                assert Path(folder, name).is_dir() or Path(folder, name).read_bytes() == content
        assert sorted(Path(place).iterdir()) == [archive, Path(place, "deep")]
        assert list(Path(place, "deep").iterdir()) == [folder]


@given(rows=st.lists(st.tuples(st.integers(1, 14), text, text), min_size=1, max_size=5))
def test_rows_of_dbpedia(rows):
    with new_folder() as folder:
        path = Path(folder, "file.csv")
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n").writerows(rows)
        assert list(dbpedia.read_rows(path)) == [(label - 1, content) for label, _, content in rows]


@given(known=st.lists(text, min_size=1), new=text)
def test_characters_and_back(known, new):
    characters = learn_characters(known)
    numbers = encode(new, characters).tolist()
    assert [characters[number - 1] if number else None for number in numbers] == [
        character if character in characters else None for character in new
    ]


# What comes in pieces -------------------------------------------------------------------------------------------------


def cut(content, places):
    """The bytes in pieces that end at `places`."""
    ends = sorted({place % (len(content) + 1) for place in places} | {len(content)})
    return iter([content[start:stop] for start, stop in zip([0, *ends], ends, strict=False) if stop > start])


places = st.lists(st.integers(0, 500), max_size=8)


@given(content=st.text(st.characters(exclude_categories=["Cs"]), max_size=60), places=places)
def test_texts_in_any_pieces(content, places):
    assert "".join(feeds.feed_text(cut(content.encode(), places), "feed")) == content


@given(
    steps=hnp.arrays("f8", st.tuples(st.integers(1, 6), st.integers(1, 3)), elements=finite),
    places=places,
    mark=st.sampled_from([",", " ", "\t"]),
    header=st.booleans(),
    last=st.sampled_from(["", "\n", "\r\n"]),
)
def test_lines_in_any_pieces(steps, places, mark, header, last):
    lines = [mark.join(map(repr, row)) for row in steps.tolist()]
    if header:
        lines.insert(0, mark.join(string.ascii_lowercase[: steps.shape[1]]))
    content = ("\n".join(lines) + last).encode()
    spec = InputSpec("values", steps.shape[1])
    assert np.array_equal(np.concatenate(list(feeds.feed_lines(cut(content, places), spec, "feed"))), steps)


@given(
    steps=hnp.arrays("<f4", st.tuples(st.integers(1, 9), st.integers(1, 3)), elements=st.floats(-9, 9, width=32)),
    places=places,
)
def test_raw_numbers_in_any_pieces(steps, places):
    spec = InputSpec("values", steps.shape[1])
    found = list(feeds.feed_binary(cut(steps.tobytes(), places), spec, "feed"))
    assert np.array_equal(np.concatenate(found), steps)


@given(content=st.binary(max_size=200), places=places, levels=st.sampled_from([2, 256]))
def test_whatever_comes_in_pieces_is_read_or_refused_alike(content, places, levels):
    for feed in (feeds.feed_lines, feeds.feed_binary):
        for spec in (InputSpec("values", 2), InputSpec("pixels", 1, levels=levels)):
            outcomes = []
            for pieces in (cut(content, places), cut(content, [])):
                try:
                    outcomes.append([step.tolist() for piece in feed(pieces, spec, "feed") for step in piece])
                except InputError as error:
                    outcomes.append(str(error))
            assert outcomes[0] == outcomes[1]
