"""What is told of a set before training, word by word."""

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.sources.findings import describe_findings, describe_preprocessing, giveaway_channels
from auxrnn.sources.importing import import_source, read_source
from auxrnn.sources.stored import SequenceSet, open_set
from own_files import write_csv, write_long_form


def test_a_long_form_table(tmp_path):
    path = write_long_form(tmp_path)
    assert describe_findings(read_source(path, ReadingOptions())) == [
        f"{path}: long-form table (id 'id', time 'time', label 'label'); 6 sequences, 18 steps of a, b",
        "Classes: 2 (even: 3, odd: 3)",
        "Lengths: 2 / 3 / 4 steps (min / median / max)",
        "Missing values: none",
    ]


def test_gaps_left_out_rows_and_imbalance(tmp_path):
    rows = [f"{i},{t},{'' if i == t == 1 else i},{'rare' if i < 2 else 'usual'}" for i in range(9) for t in range(2)]
    path = write_csv(tmp_path / "a.csv", "id,time,a,label", *rows, "99,1,1,")
    lines = describe_findings(read_source(path, ReadingOptions(missing="drop")))
    assert lines[3] == (
        "Missing values: 1 in 1 sequences, their steps left out (--missing drop); "
        "1 sequence without label or content left out"
    )
    assert lines[4].startswith("Warning: class 'usual' has 3.5 times as many sequences as 'rare'")


def test_many_classes_are_cut_short(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label", *[f"a,{i % 20}" for i in range(41)])
    assert describe_findings(read_source(path, ReadingOptions()))[1].endswith("11: 2, ... 2 to 3 each)")


def test_preprocessing(tmp_path):
    stored = read_source(write_long_form(tmp_path), ReadingOptions())
    told = describe_preprocessing(stored, (1.5, -1.5), (0.25, 2.0), 0)
    assert told == "Channels standardised as on the training split: a 1.5 ± 0.25, b -1.5 ± 2"


def test_many_channels_are_counted(tmp_path):
    names = [f"c{channel}" for channel in range(13)]
    rows = [f"{i},{t},{','.join(['1'] * 12 + [str(t)])},{i % 2}" for i in range(4) for t in range(2)]
    path = write_csv(tmp_path / "a.csv", ",".join(["id", "time", *names, "label"]), *rows)
    first = describe_findings(read_source(path, ReadingOptions(features=",".join(names))))[0]
    assert first.endswith(f"8 steps of 13 channels, {', '.join(names[:12])} ...")


def test_channels_without_names(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.arange(24.0).reshape(4, 3, 2), y=[0, 1, 0, 1])
    stored = read_source(tmp_path / "a.npz", ReadingOptions())
    assert describe_preprocessing(stored, (1.5, -2), (1, 2), 0).endswith("split: 0: 1.5 ± 1, 1: -2 ± 2")
    assert describe_preprocessing(stored, (1.5,), (1,), 0).endswith("split: 1.5 ± 1")


def test_classes_that_may_be_no_labels(tmp_path):
    path = write_csv(tmp_path / "a.csv", "text,label", *["a b,?", "b c,x", "c d,NaN"] * 2)
    told = describe_findings(read_source(path, ReadingOptions()))
    assert "Note: '?' counts as a class; where it stands for no label, leave the cell empty." in told
    assert sum("counts as a class" in line for line in told) == 2


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (("café", "cafe\u0301"), [r"Note: 'cafe\u0301', 'caf\xe9' count as classes of their own"]),
        (("01", "1", "001"), ["Note: '001', '01', '1' count as classes of their own"]),
        (("Yes", "yes", "no"), ["Note: 'Yes', 'yes' count as classes of their own"]),
        (("a  b", "a b"), ["Note: 'a  b', 'a b' count as classes of their own"]),
        (("'up'", "up"), ["Note: \"'up'\", 'up' count as classes of their own"]),
        (("10", "1"), []),
        (("café", "cafe"), []),
    ],
)
def test_classes_that_differ_in_form_alone(tmp_path, labels, told):
    path = write_csv(tmp_path / "a.csv", "text,label", *(f"some text,{label}" for label in labels * 2))
    notes = [line for line in describe_findings(read_source(path, ReadingOptions())) if line.startswith("Note")]
    assert [note[: len(start)] for note, start in zip(notes, told, strict=True)] == told


# A channel that is the label ------------------------------------------------------------------------------------------


def warned(path, **options):
    return [line for line in describe_findings(read_source(path, ReadingOptions(**options))) if "away" in line]


def steps_with(tmp_path, channel, *, lengths=(3, 1, 2, 4, 2, 3)):
    """Sequences of a measurement and of channel(sequence, step), classes in turn."""
    rows = [
        f"{i},{t},{i + t},{channel(i, t)},{'abc'[i % 3]}" for i, length in enumerate(lengths) for t in range(length)
    ]
    return write_csv(tmp_path / "a.csv", "id,time,the x,class_id,label", *rows)


def test_a_channel_that_is_the_class_in_other_words(tmp_path):
    assert warned(steps_with(tmp_path, lambda i, t: 7 - i % 3)) == [
        "Warning: channel 'class_id' never changes within a sequence and has one value for each class: it gives the "
        "label away; leave it out with --features 'the x'."
    ]
    assert warned(tmp_path / "a.csv", features="the x") == []


@pytest.mark.parametrize(
    "channel",
    [
        lambda i, t: 5,  # constant everywhere
        lambda i, t: i,  # of each sequence its own
        lambda i, t: i % 3 // 2,  # two classes alike
        lambda i, t: i % 3 + (i == 5 and t == 2),  # changes in one sequence
        lambda i, t: i % 3 if i < 5 else 9,  # another value in the last sequence
        lambda i, t: i % 3 + t,
    ],
)
def test_a_channel_that_is_not(tmp_path, channel):
    assert warned(steps_with(tmp_path, lambda i, t: int(channel(i, t)))) == []


def test_single_steps_tell_nothing_of_change(tmp_path):
    assert warned(steps_with(tmp_path, lambda i, t: i % 3, lengths=[1] * 6), id="id") == []


def test_a_channel_of_arrays_that_is_the_class(tmp_path):
    values = np.random.default_rng(0).normal(size=(6, 4, 3))
    values[..., 1] = np.array([0, 1] * 3)[:, np.newaxis]
    np.savez(tmp_path / "a.npz", X=values, y=[0, 1] * 3)
    assert [line.split(" never")[0] for line in warned(tmp_path / "a.npz")] == ["Warning: channel '1'"]
    import_source(tmp_path / "a.npz", tmp_path / "set", ReadingOptions(), say=lambda _: None)
    assert "channel '1' never changes" in " ".join(describe_findings(open_set(tmp_path / "set")))


def test_measurements_are_read_no_further_than_a_few_sequences(tmp_path, monkeypatch):
    stored = read_source(write_long_form(tmp_path, 60), ReadingOptions())
    read, plain = [], SequenceSet.sequence
    monkeypatch.setattr(SequenceSet, "sequence", lambda *given: read.append(given[1]) or plain(*given))
    assert giveaway_channels(stored) == []
    assert len(read) == 1
