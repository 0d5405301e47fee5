"""Model folders that were changed, cut or filled with pickles."""

import pickle
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from auxrnn.cli import main
from auxrnn.sources.published import load
from own_files import changed
from small_runs import run_small


def other_weights(folder, finished_run):
    run_small(folder / "other", hidden_size=3, max_epochs=1, pretrain_epochs=0, model="lstm")
    shutil.copy(folder / "other" / "model" / "model.safetensors", folder / "model" / "model.safetensors")
    shutil.rmtree(folder / "other")


def retrained_weights(folder, finished_run):
    path = folder / "model" / "model.safetensors"
    save_file({name: weight + 1 for name, weight in load_file(path).items()}, path)


def replaced(old, new):
    def change(folder, finished_run):
        path = folder / "model" / "config.json"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return change


BAD_MODELS = {
    "changed configuration": (replaced('"hidden_size": 4', '"hidden_size": 5'), "of shape"),
    "enormous configuration": (replaced('"hidden_size": 4', '"hidden_size": 40000'), "of shape"),
    "endless layers": (replaced('"num_layers": 1', '"num_layers": 100000000'), "num_layers of at most"),
    "unknown setting": (
        replaced('"hidden_size": 4', '"hidden_size": 4, "shell": "rm"'),
        "unknown model settings shell",
    ),
    "another class": (replaced('"classes": [', '"classes": ["ten",'), "of shape"),
    "no json": (replaced("{", "["), "expected JSON"),
    "truncated weights": (
        lambda f, _: changed(f / "model" / "model.safetensors", 900, 10**9),
        "expected weights in safetensors form",
    ),
    "weights of the same shapes": (retrained_weights, "as they were saved together"),
    "another use": (replaced('"label_type": "str"', '"label_type": "int64"'), "as they were saved together"),
    "a class twice": (replaced('"9"', '"8"'), "distinct texts"),
    "a class that would clear the screen": (
        replaced('"9"', '"\\u001b[2J"'),
        "a name in UTF-8 without control characters",
    ),
    "swapped weights": (other_weights, "expected the weights that config.json describes"),
    "a pickle as weights": (
        lambda f, _: torch.save({"a": torch.ones(1)}, f / "model" / "model.safetensors"),
        "expected weights in safetensors form",
    ),
}


@pytest.fixture
def model(tmp_path, finished_run):
    """A copy of a trained model, and a file to predict from."""
    shutil.copytree(finished_run / "model", tmp_path / "model")
    np.save(tmp_path / "new.npy", load("digits").test.inputs[:2].numpy())
    return tmp_path


@pytest.mark.parametrize("case", BAD_MODELS)
def test_model_folders(told, model, finished_run, case):
    change, message = BAD_MODELS[case]
    change(model, finished_run)
    for words in (
        ["predict", "model", "new.npy"],
        ["evaluate", "model"],
        ["stream", "model", "new.npy"],
        ["export", "model"],
    ):
        assert message in told(*words)


def test_pickles_beside_a_model_are_never_opened(model, capsys):
    class Harm:
        def __reduce__(self):
            return (open, (str(model / "executed"), "w"))

    expected = main(["predict", str(model / "model"), str(model / "new.npy")]), capsys.readouterr()
    for name in ("pytorch_model.bin", "model.pkl", "model.pt", "config.pkl"):
        (model / "model" / name).write_bytes(pickle.dumps(Harm()))
    torch.save({"state_dict": Harm()}, model / "model" / "model.ckpt")
    assert (main(["predict", str(model / "model"), str(model / "new.npy")]), capsys.readouterr()) == expected
    assert expected[0] == 0
    assert not (model / "executed").exists()
