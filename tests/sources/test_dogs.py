"""Stanford Dogs, written here in tiny: lists of both kinds, decoded once, and every fault with its list and row."""

import io
import tarfile

import numpy as np
import pytest
import scipy.io

from auxrnn.errors import InputError
from auxrnn.sources import dogs

Image = pytest.importorskip("PIL.Image")

BREEDS = ("n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02085936-Maltese_dog")
TRAIN = [f"{breed}/{breed[:9]}_{number}.png" for breed in BREEDS[::-1] for number in range(2)]
TEST = [f"{breed}/{breed[:9]}_9.png" for breed in BREEDS]


def write_images(folder):
    generator = np.random.default_rng(0)
    for name in (*TRAIN, *TEST):
        path = folder / "Images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)).save(path)


def write_mat(path, names):
    cells = np.empty((len(names), 1), dtype=object)
    for row, name in enumerate(names):
        cells[row, 0] = name
    scipy.io.savemat(path, {"file_list": cells, "labels": np.ones((len(names), 1), dtype=np.uint8)})


@pytest.fixture(params=["txt", "mat"])
def folder(tmp_path, request):
    made = tmp_path / "stanford-dogs"
    write_images(made)
    for split, names in (("train", TRAIN), ("test", TEST)):
        if request.param == "txt":
            (made / f"{split}_list.txt").write_text("\n".join(names) + "\n")
        else:
            write_mat(made / f"{split}_list.mat", names)
    return made


def load(folder, split="train", side=2, grey=False, limit_classes=None):
    return dogs.load_split(split, dogs.read_folder(folder), side, grey, limit_classes)


def test_sorted_classes_the_lists_order_and_pillows_pixels(folder):
    data = load(folder)
    assert data.classes == ("Chihuahua", "Japanese_spaniel", "Maltese_dog")
    assert data.labels.tolist() == [2, 2, 1, 1, 0, 0]
    with Image.open(folder / "Images" / TRAIN[3]) as image:
        expected = np.asarray(image.resize((2, 2), Image.Resampling.BOX)).reshape(4, 3)
    assert data.inputs[3].tolist() == expected.tolist()
    assert data.image_shape == (2, 2)
    assert "squashed" in data.note


def test_the_cache_is_made_once_and_mapped(folder, monkeypatch):
    first = load(folder, side=4, grey=True)
    (cache,) = (folder / "cache").iterdir()
    assert cache.name.startswith("4x4-grey-train-3-classes-")
    monkeypatch.setattr(dogs, "decode", lambda *_, **__: pytest.fail("decoded again"))
    second = load(folder, side=4, grey=True)
    assert second.inputs.tolist() == first.inputs.tolist()
    assert second.spec.size == 1
    second.inputs[0, 0, 0] ^= 1  # stays in memory
    assert load(folder, side=4, grey=True).inputs.tolist() == first.inputs.tolist()


def test_only_the_classes_asked_for_are_decoded(folder, monkeypatch):
    decoded = []
    plain = dogs.decode
    monkeypatch.setattr(
        dogs, "decode", lambda path, *rest, **named: decoded.append(path) or plain(path, *rest, **named)
    )
    data = load(folder, limit_classes=2)
    assert data.classes == ("Chihuahua", "Japanese_spaniel")
    assert data.labels.tolist() == [1, 1, 0, 0]
    assert len(decoded) == 4


def test_an_interrupted_decoding_leaves_no_cache(folder, monkeypatch):
    plain, calls = dogs.decode, iter(range(100))

    def stopped(*given, **named):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return plain(*given, **named)

    monkeypatch.setattr(dogs, "decode", stopped)
    with pytest.raises(KeyboardInterrupt):
        load(folder)
    assert not list((folder / "cache").glob("*.npy"))
    monkeypatch.setattr(dogs, "decode", plain)
    assert len(load(folder)) == 6
    assert [path.name[0] for path in (folder / "cache").iterdir()] == ["2"]


def test_a_changed_image_makes_another_cache(folder):
    load(folder)
    Image.fromarray(np.zeros((3, 3, 3), dtype=np.uint8)).save(folder / "Images" / TRAIN[0])
    assert load(folder).inputs[0].tolist() == [[0, 0, 0]] * 4


def test_a_damaged_cache_is_named(folder):
    load(folder)
    (cache,) = (folder / "cache").iterdir()
    cache.write_bytes(cache.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"2x2-rgb-train.*expected \(6, 2, 2, 3\) of uint8.*Delete"):
        load(folder)


def test_a_missing_and_a_broken_image_name_the_list_and_row(folder):
    path = folder / "Images" / TRAIN[4]
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"train_list\.\w+, row 5: expected an image that can be read at .*_0\.png"):
        load(folder)
    path.unlink()
    with pytest.raises(InputError, match=r"train_list\.\w+, row 5: expected the image .*_0\.png, found none"):
        load(folder)
    assert not list((folder / "cache").iterdir())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["../a.png"], "row 1: expected folder/image, found '../a.png'"),
        ([TRAIN[0], "/etc/passwd"], "row 2: expected folder/image"),
        ([TRAIN[0], "a.png"], "row 2: expected folder/image"),
        ([TRAIN[0], TRAIN[1], TRAIN[0]], "row 3: expected each image once, found .* again after .*row 1"),
        ([TEST[0]], r"test_list\.txt, row 1: expected each image once"),
        ([], "expected a list of images, found none"),
    ],
)
def test_faulty_lists(tmp_path, names, message):
    write_images(tmp_path)
    (tmp_path / "train_list.txt").write_text("\n".join(names))
    (tmp_path / "test_list.txt").write_text("\n".join(TEST))
    with pytest.raises(InputError, match=message):
        dogs.read_folder(tmp_path)


def test_faulty_mat_files(tmp_path):
    path = tmp_path / "train_list.mat"
    path.write_bytes(b"no matlab file at all, but long enough for a header" * 10)
    with pytest.raises(InputError, match=r"train_list\.mat: expected a MATLAB file"):
        dogs.read_list(path)
    scipy.io.savemat(path, {"other": 1})
    with pytest.raises(InputError, match="expected a variable file_list"):
        dogs.read_list(path)
    write_mat(path, ["a/b", np.zeros(2)])
    with pytest.raises(InputError, match="a cell without a text in row 2"):
        dogs.read_list(path)
    (tmp_path / "l.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match="expected UTF-8"):
        dogs.read_list(tmp_path / "l.txt")


def test_both_names_of_the_folder_and_the_archives(tmp_path):
    write_images(tmp_path / "made")
    for split, names in (("train", TRAIN), ("test", TEST)):
        write_mat(tmp_path / "made" / f"{split}_list.mat", names)
    top = tmp_path / "stanford_dogs"
    top.mkdir()
    for archive, members in (("images.tar", ["Images"]), ("lists.tar", ["train_list.mat", "test_list.mat"])):
        with tarfile.open(top / archive, "w") as tar:
            for member in members:
                tar.add(tmp_path / "made" / member, member)
    assert dogs.find_folder(tmp_path) is None
    assert dogs.provide(tmp_path, download=False) == top
    assert len(load(top)) == 6
    (top / "lists.tar").write_bytes(io.BytesIO().getvalue())  # no longer needed
    assert dogs.provide(tmp_path, download=False) == top


def test_nothing_there(tmp_path):
    with pytest.raises(InputError, match=r"images\.tar.*switched off"):
        dogs.provide(tmp_path, download=False)
