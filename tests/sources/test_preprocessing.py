"""Arrays, lists and texts become what a network reads; each expected number is worked out by hand or by numpy."""

import numpy as np
import pytest
import torch
from scipy import sparse

from auxrnn.core.batch import InputSpec
from auxrnn.errors import InputError
from auxrnn.sources.preprocessing import Preprocessing, RawSequences, read_sequences


def learned(X: object) -> tuple[Preprocessing, torch.Tensor | list[torch.Tensor]]:
    raw = read_sequences(X)
    preprocessing = Preprocessing.learn(raw)
    return preprocessing, preprocessing.apply(raw)


@pytest.mark.parametrize(
    ("X", "shape", "table"),
    [
        (np.zeros((5, 7, 2)), (5, 7, 2), False),
        (np.zeros((5, 7)), (5, 7, 1), True),
        ([[1, 2, 3], [4, 5, 6]], (2, 3, 1), True),
        ([[[1], [2]], [[3], [4]]], (2, 2, 1), False),
        (torch.zeros(3, 4), (3, 4, 1), True),
        (np.zeros((5, 7)).astype(object), (5, 7, 1), True),
    ],
)
def test_arrays_and_nested_lists_of_one_length_are_arrays(X: object, shape: tuple[int, ...], table: bool) -> None:
    raw = read_sequences(X)
    assert isinstance(raw.items, np.ndarray)
    assert (raw.items.shape, raw.table, len(raw), raw.channels) == (shape, table, shape[0], shape[2])


@pytest.mark.parametrize(
    "X",
    [
        [np.arange(3), np.arange(5)],
        ([0, 1, 2], [0, 1, 2, 3, 4]),
        [np.arange(3).reshape(3, 1), torch.arange(5)],
        np.array([np.arange(3), np.arange(5)], dtype=object),
    ],
)
def test_lists_keep_each_length(X: object) -> None:
    raw = read_sequences(X)
    assert isinstance(raw.items, list)
    assert [item.shape for item in raw.items] == [(3, 1), (5, 1)]  # type: ignore[union-attr]
    assert not raw.table


@pytest.mark.parametrize("X", [["ab", "c"], ("ab", "c"), np.array(["ab", "c"]), np.array(["ab", "c"], dtype=object)])
def test_texts_in_every_container(X: object) -> None:
    raw = read_sequences(X)
    assert raw.items == ["ab", "c"]
    assert (raw.text, raw.channels) == (True, 1)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        ([], "at least one sequence, got none"),
        (np.zeros((0, 3)), "0 sample"),
        (np.zeros((3, 0)), "0 feature"),
        (np.zeros((3, 0, 2)), "at least one step of at least one channel"),
        (np.zeros((3, 2, 0)), "at least one step of at least one channel"),
        (np.zeros(4), r"got an array of shape \(4,\)"),
        (np.zeros((2, 3, 4, 5)), r"got an array of shape \(2, 3, 4, 5\)"),
        (3.0, r"got an array of shape \(\)"),
        ("text", "list of texts, got a single one"),
        (b"text", "list of texts, got a single one"),
        (["a", 1], "expected texts throughout as at 0, got int at sequence 1"),
        ([[1.0], "a"], "sequence 1: expected numbers"),
        (["a", ""], "at least one character, got none at sequence 1"),
        ([1, 2, 3], "sequence 0: .*got shape \\(\\)"),
        ([np.zeros(2), np.zeros(0)], "sequence 1: expected at least one step"),
        ([np.zeros((2, 2)), np.zeros((2, 3))], "expected 2 channels throughout as at 0, got 3 at sequence 1"),
        ([np.zeros(2), np.array([0, np.nan])], "sequence 1: expected finite numbers, got NaN or inf"),
        ([np.zeros(2), np.array([0, np.inf])], "sequence 1: expected finite numbers, got NaN or inf"),
        (np.array([[0, np.nan]]), "contains NaN"),
        (np.array([[[0.0], [np.inf]]]), "contains infinity"),
        ([np.zeros(2), np.array([1j])], "sequence 1: Complex data not supported"),
        (np.array([[1j]]), "Complex data not supported"),
        (sparse.csr_array(np.eye(3)), "got a sparse matrix"),
        ([sparse.csr_array(np.eye(3))], "got a sparse matrix"),
        ([np.array([{}, 1], dtype=object)], "sequence 0: expected an array of numbers"),
        ([[1, 2], [3, [4]]], "sequence 1: expected an array of numbers"),
        (np.array([["a", "b"]]), "arrays of bytes/strings"),
        (np.array([["2020-01-01"]], dtype="datetime64[D]"), "expected numbers"),
    ],
)
def test_what_is_no_set_of_sequences_is_named(X: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_sequences(X)


def test_subset_keeps_the_order_asked_for() -> None:
    at = torch.tensor([2, 0])
    assert read_sequences(["a", "b", "c"]).subset(at).items == ["c", "a"]
    rows = read_sequences(np.arange(6).reshape(3, 2)).subset(at)
    assert rows.table
    np.testing.assert_array_equal(rows.items, [[[4], [5]], [[0], [1]]])  # type: ignore[arg-type]


def test_values_are_standardised_by_channel_over_all_steps() -> None:
    X = np.random.default_rng(0).normal([5, -300], [2, 1e-3], size=(7, 11, 2))
    preprocessing, found = learned(X)
    expected = (X - X.mean((0, 1))) / X.std((0, 1))
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-5)
    assert preprocessing.spec == InputSpec("values", 2)


def test_every_step_of_a_list_counts_alike() -> None:
    preprocessing, found = learned([np.array([0.0, 0.0, 0.0]), np.array([4.0])])
    assert preprocessing.mean == (1.0,)  # (0 + 0 + 0 + 4) / 4
    assert preprocessing.scale == (pytest.approx(3**0.5),)  # (1 + 1 + 1 + 9) / 4
    assert [len(item) for item in found] == [3, 1]


def test_more_sequences_than_are_summed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.random.default_rng(0).normal(3, 2, size=(10, 3, 2))
    whole = learned(X)[0]
    monkeypatch.setattr("auxrnn.sources.preprocessing.CHUNK", 4)
    chunked = learned(X)[0]
    np.testing.assert_allclose(whole.mean + whole.scale, chunked.mean + chunked.scale, rtol=1e-12)


def test_constant_channel_becomes_zeros_however_large() -> None:
    for value in (0.0, 0.1, 1e9):
        preprocessing, found = learned(np.full((4, 5), value))
        assert preprocessing.scale == (1.0,)
        assert isinstance(found, torch.Tensor)
        assert float(found.abs().max()) < 1e-6


def test_new_values_are_standardised_as_the_training_values_were() -> None:
    preprocessing = learned(np.array([[1.0, 3.0]]))[0]  # mean 2, scale 1
    new = preprocessing.apply(read_sequences(np.array([[10, 2]])))
    assert isinstance(new, torch.Tensor)
    assert new.flatten().tolist() == [8.0, 0.0]


def test_values_too_large_are_named() -> None:
    with pytest.raises(InputError, match="X: expected finite values that can be squared and summed"):
        learned(np.array([[1e300, -1e300]]))
    preprocessing = learned(np.array([[1e-3, -1e-3]]))[0]
    with pytest.raises(InputError, match="some too large"):
        preprocessing.apply(read_sequences(np.array([[1e300]])))


def test_pixels_stay_as_they_are_and_share_memory() -> None:
    X = np.arange(256, dtype=np.uint8).reshape(2, 128)
    preprocessing, found = learned(X)
    assert preprocessing.spec == InputSpec("pixels", 1, 256)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found[:, :, 0].numpy(), X)
    assert found.data_ptr() == X.ctypes.data


def test_read_only_and_reversed_arrays_are_copied_without_a_warning() -> None:
    X = np.arange(6, dtype=np.uint8).reshape(2, 3)[:, ::-1]
    X.flags.writeable = False
    found = learned(X)[1]
    assert isinstance(found, torch.Tensor)
    assert found[:, :, 0].tolist() == [[2, 1, 0], [5, 4, 3]]
    assert learned(np.arange(4.0).astype(">f8").reshape(2, 2))[0].mean == (1.5,)


def test_whole_levels_of_another_type_are_pixels_for_a_model_of_pixels() -> None:
    preprocessing = learned(np.zeros((1, 2), np.uint8))[0]
    found = preprocessing.apply(read_sequences(np.array([[255.0, 7.0]])))
    assert isinstance(found, torch.Tensor)
    assert (found.dtype, found.flatten().tolist()) == (torch.uint8, [255, 7])
    for wrong in (0.5, 256, -1):
        with pytest.raises(InputError, match="expected pixel levels 0 to 255"):
            preprocessing.apply(read_sequences(np.array([[wrong, 0]])))


def test_characters_count_from_one_and_unknown_ones_are_zero() -> None:
    preprocessing, found = learned(["bab", "é😀"])
    assert preprocessing.characters == "abé😀"
    assert preprocessing.spec == InputSpec("characters", 5)
    assert [item.tolist() for item in found] == [[2, 1, 2], [3, 4]]
    new = preprocessing.apply(read_sequences(["xab\ud800", "𝄞"]))
    assert [item.tolist() for item in new] == [[0, 1, 2, 0], [0]]


def test_many_characters_need_a_wider_type() -> None:
    text = "".join(map(chr, range(1000, 1300)))
    found = learned([text])[1]
    assert found[0].tolist() == list(range(1, 301))
    text = text[:255]  # with the unknown one 256 indices: the most that a byte holds
    found = learned([text])[1]
    assert (found[0].dtype, found[0].tolist()) == (torch.uint8, list(range(1, 256)))


@pytest.mark.parametrize(
    ("trained", "new", "message"),
    [
        (["a"], np.zeros((1, 2)), "expected texts as in training, got numbers"),
        (np.zeros((1, 2)), ["a"], "expected numbers as in training, got texts"),
        (np.zeros((1, 2, 3)), np.zeros((1, 2)), "expected 3 channels a step as in training"),
        (np.zeros((1, 2)), [np.zeros((2, 2))], "expected 1 channels a step as in training"),
    ],
)
def test_other_sequences_than_in_training_are_named(trained: object, new: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        learned(trained)[0].apply(read_sequences(new))


@pytest.mark.parametrize(
    "raw",
    [
        read_sequences(np.arange(12.0).reshape(2, 3, 2)),
        read_sequences(np.arange(6, dtype=np.uint8).reshape(2, 3)),
        read_sequences(["bab", "é😀\ud800"]),
    ],
)
def test_dictionary_round_trip(raw: RawSequences) -> None:
    import json

    preprocessing = Preprocessing.learn(raw, ("x", "y", "z") if raw.table else ())
    content = json.loads(json.dumps(preprocessing.to_dict()))
    assert Preprocessing.from_dict(content) == preprocessing


@pytest.mark.parametrize(
    "change",
    [
        {"mean": [0.0, 0.0]},
        {"mean": []},
        {"scale": [0.0]},
        {"scale": [-1.0]},
        {"scale": [float("nan")]},
        {"kind": "sounds"},
        {"channels": 0},
        {"characters": "ab"},
        {"characters": 3},
        {"columns": "two"},
        {"column_names": ["a"]},
        {"surplus": 1},
    ],
)
def test_damaged_dictionaries_are_refused(change: dict[str, object]) -> None:
    content = Preprocessing("values", 1, (0.0,), (1.0,), columns=2).to_dict()
    with pytest.raises(InputError):
        Preprocessing.from_dict({**content, **change})
    content.pop("kind")
    with pytest.raises(InputError, match="entries"):
        Preprocessing.from_dict(content)


@pytest.mark.parametrize("characters", ["", "ba", "aa"])
def test_characters_must_be_sorted_and_different(characters: str) -> None:
    with pytest.raises(InputError, match="order of their code points"):
        Preprocessing("characters", characters=characters)


def test_steps_that_may_stand_last_are_doubted() -> None:
    with pytest.warns(UserWarning, match=r"X: read as 3 steps of 40 channels each; .* pass X\.transpose\(0, 2, 1\)"):
        read_sequences(np.zeros((5, 3, 40)))
    assert read_sequences(np.zeros((5, 10, 40))).channels == 40
    with pytest.warns(
        UserWarning, match=r"X: read as 5 steps of 40 channels each; .* pass the transpose of each, x\.T"
    ):
        read_sequences([np.zeros((3, 40)), np.zeros((5, 40))])
