"""Options that a source has no use for are refused by name; those of a trained model are not the person's."""

import numpy as np
import pytest

from auxrnn.config.reading import ReadingOptions
from auxrnn.errors import InputError
from auxrnn.sources.importing import import_source, read_source
from auxrnn.sources.loading import load_files, open_source
from own_files import write_csv, write_image, write_long_form, write_texts


def arrays(folder):
    np.savez(folder / "a.npz", X=np.zeros((6, 3)), y=[0, 1] * 3)
    return folder / "a.npz"


def cases(folder):
    (folder / "a.ts").write_text("@classLabel true a b\n@data\n" + "1,2:a\n3,4:b\n" * 3)
    return folder / "a.ts"


def images(folder):
    for name in ("a/1", "a/2", "b/1", "b/2"):
        write_image(folder / "images" / f"{name}.png", np.zeros((2, 2), np.uint8))
    return folder / "images"


def listed(folder):
    images(folder)
    rows = [f"images/{name}.png,{name[0]}" for name in ("a/1", "a/2", "b/1", "b/2")]
    return write_csv(folder / "list.csv", "path,label", *rows)


def pair(folder):
    for name in ("train.csv", "test.csv"):
        write_texts(folder / "pair", 4, name)
    return folder / "pair"


@pytest.mark.parametrize(
    ("make", "options", "name"),
    [
        (arrays, {"text": "foo"}, "text"),
        (arrays, {"encoding": "latin-1"}, "encoding"),
        (cases, {"label": "y"}, "label"),
        (images, {"encoding": "latin-1"}, "encoding"),
        (images, {"header": "no"}, "header"),
        (images, {"rate": 8000}, "rate"),
        (listed, {"features": "a"}, "features"),
        (write_texts, {"text": "text", "size": "2x2"}, "size"),
        (write_long_form, {"id": "id", "text": "label"}, "text"),
        (pair, {"size": "2x2"}, "size"),
    ],
)
def test_what_means_nothing(tmp_path, make, options, name):
    path, reading = make(tmp_path), ReadingOptions(**options)
    with pytest.raises(InputError, match=rf"expected no --{name} for .*; leave it out\. What counts here: --"):
        read_source(path, reading)
    with pytest.raises(InputError, match=rf"expected no --{name} for "):
        import_source(path, tmp_path / "out" / "set", reading, print)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (arrays, {"missing": "zero", "label_type": "text", "test_fraction": 0.5}),
        (cases, {"encoding": "latin-1", "target": "class"}),
        (images, {"size": "3x3"}),
        (listed, {"size": "3x3", "label": "label", "header": "yes", "encoding": "latin-1"}),
        (write_texts, {"text": "text", "label": "label", "delimiter": ","}),
        (write_long_form, {"id": "id", "missing": "drop", "encoding": "latin-1"}),
        (pair, {"text": "text"}),
    ],
)
def test_what_counts(tmp_path, make, options):
    assert len(read_source(make(tmp_path), ReadingOptions(**options)))


def test_an_imported_set_is_as_it_was_imported(tmp_path):
    import_source(arrays(tmp_path), tmp_path / "set", ReadingOptions(missing="zero"), print)
    assert len(open_source(tmp_path / "set", ReadingOptions(target="class", test_fraction=0.5)))
    with pytest.raises(InputError, match="no --missing for an imported set; import it again with --missing"):
        open_source(tmp_path / "set", ReadingOptions(missing="drop"))


def test_the_options_of_a_trained_model_are_nobodys_mistake(tmp_path):
    learned = load_files(arrays(tmp_path), ReadingOptions(test_fraction=0.5)).preprocessing
    again = load_files(tmp_path / "a.npz", ReadingOptions(text="foo", test_fraction=0.5), preprocessing=learned)
    assert len(again.test)


def test_what_each_form_has_a_use_for(tmp_path):
    """An option that means something for one form of tables is refused for another."""
    texts, steps = write_texts(tmp_path, 4), write_long_form(tmp_path, 4)
    for path, options, name in (
        (texts, {"window": 2, "text": "text", "rows": "texts"}, "window"),
        (steps, {"size": "2x2"}, "size"),
    ):
        with pytest.raises(InputError, match=f"expected no --{name} for"):
            read_source(path, ReadingOptions(**options))
    assert len(read_source(steps, ReadingOptions(window=2, rows="steps", decimal="."))) == 6
