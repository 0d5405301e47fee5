"""Models by name: the real `huggingface_hub` in a process of its own, against a small hub on this machine."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auxrnn import InputError, LongSequenceClassifier
from auxrnn.use.hub import push_model
from auxrnn.use.opening import open_model
from local_hub import local_hub
from small_estimators import rising_or_falling, tiny

TOKEN = "hf_ThisIsSecret"


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(*rising_or_falling())


@pytest.fixture
def hub():
    pytest.importorskip("huggingface_hub")
    with local_hub() as server:
        yield server


def python(code, folder, hub, **environment):
    """What a process says that knows the hub, with a token in its environment."""
    settings = {"HF_ENDPOINT": hub.address, "HF_HOME": str(folder / "hub-cache"), "HF_TOKEN": TOKEN, "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-c", f"import numpy as np\nfrom auxrnn import *\nmodel = LongSequenceClassifier\n{code}"],
        cwd=folder,
        env={**os.environ, **settings, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert TOKEN not in done.stdout + done.stderr
    return done


def test_a_model_goes_to_the_hub_and_comes_back(fitted, hub, tmp_path):
    fitted.save_pretrained(tmp_path / "saved")
    pushed = python("print(model.from_pretrained('saved').push_to_hub('me/ramps', private=True))", tmp_path, hub)
    assert pushed.stdout == f"{hub.address}/me/ramps\n", pushed.stderr
    assert hub.private == {"me/ramps": True}
    assert set(hub.models["me/ramps"]) == {"config.json", "model.safetensors", "README.md"}
    assert 'LongSequenceClassifier.from_pretrained("me/ramps")' in hub.models["me/ramps"]["README.md"].decode()
    assert ("POST", "/api/models/me/ramps/commit/main", f"Bearer {TOKEN}") in hub.asked

    hub.models["me/ramps"]["training.py"] = b"raise SystemExit('executed')"
    X = rising_or_falling(seed=1)[0]
    np.save(tmp_path / "X.npy", X)
    read = python("np.save('p.npy', model.from_pretrained('me/ramps').predict_proba(np.load('X.npy')))", tmp_path, hub)
    assert read.returncode == 0, read.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "p.npy"), fitted.predict_proba(X))
    files = [path for path in (tmp_path / "hub-cache").rglob("*") if path.is_file()]
    assert not any(path.name == "training.py" for path in files)
    assert not any(TOKEN.encode() in path.read_bytes() for path in files)

    tried = "\ntry:\n    model.from_pretrained('me/others')\nexcept InputError as error:\n    print(error)"
    again = python(f"print(model.from_pretrained('me/ramps').classes_){tried}", tmp_path, hub, HF_HUB_OFFLINE="1")
    assert again.stdout.startswith("[0 1]\nme/others: found no such folder, and the hub gave no model: "), again.stderr


def test_a_folder_of_that_name_comes_first_and_what_is_nowhere_is_told(fitted, hub, tmp_path):
    fitted.save_pretrained(tmp_path / "me" / "ramps")
    hub.models["me/empty"] = {"notes.txt": b""}
    calls = (
        "from_pretrained('me/ramps')",
        "from_pretrained('me/none')",
        "from_pretrained('me/a--b')",
        "from_pretrained('me/empty')",
        "from_pretrained('me/ramps').push_to_hub('others/ramps')",
    )
    tried = "try:\n    print(type(model.{}).__name__)\nexcept InputError as error:\n    print(error)"
    done = python("\n".join(tried.format(call) for call in calls), tmp_path, hub)
    here, none, misnamed, empty, refused = done.stdout.splitlines()
    assert here == "LongSequenceClassifier"
    for line, name in ((none, "me/none"), (misnamed, "me/a--b")):
        assert line.startswith(
            f"{name}: expected a model folder, a run folder or a model on the hub, found none of them"
        )
    assert "config.json: expected the configuration of a trained model" in empty
    assert refused.startswith("others/ramps: the hub did not take the model: ")
    assert "You may not write there" in refused
    assert not any("me/ramps" in path for _, path, _ in hub.asked)


@pytest.mark.parametrize("name", ["none", "./me/none", "me/none/", "a/b/c", "../none"])
def test_other_names_are_paths(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)  # not even asked for
    with pytest.raises(InputError, match="found nothing"):
        LongSequenceClassifier.from_pretrained(name)


def test_a_path_is_no_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="found nothing"):
        open_model(Path("me/none"))


def test_without_the_library_the_extra_is_named(fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (LongSequenceClassifier.from_pretrained, fitted.push_to_hub):
        with pytest.raises(InputError, match=r"^me/none: .*pip install 'auxrnn\[hub\]'"):
            call("me/none")


def test_only_models_are_uploaded_and_under_a_name(fitted, tmp_path):
    with pytest.raises(InputError, match="expected the configuration of a trained model"):
        push_model(tmp_path, "me/none")
    with pytest.raises(InputError, match=r"as user/name, got 'none'"):
        fitted.push_to_hub("none")
