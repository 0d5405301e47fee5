"""The doctor names what is there and how to get what is not."""

import pytest

from auxrnn.experiments import doctor
from auxrnn.experiments.doctor import examine
from auxrnn.runs import environment
from auxrnn.sources.presets import MNIST_FILES


def found(folder):
    lines = list(examine(str(folder)))
    return lines, "\n".join(lines)


def test_versions_hardware_and_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    lines, text = found(tmp_path)
    assert all(any(line.startswith(name) for line in lines) for name in ("python", "torch", "GPU"))
    assert "(OMP_NUM_THREADS=3)" in text
    assert f"data folder  {tmp_path}" in lines


def test_a_folder_that_is_not_there_yet(tmp_path):
    assert "(not there yet)" in found(tmp_path / "none")[1]
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(("present", "state"), [(3, "auxrnn data fetch mnist"), (4, "here")])
def test_data(tmp_path, present, state):
    (tmp_path / "mnist").mkdir()
    for file in MNIST_FILES[:present]:
        (tmp_path / "mnist" / file.name).touch()
    lines, _ = found(tmp_path)
    assert f"  mnist        {state}" in lines
    assert "  digits       embedded" in lines


def test_missing_extras_come_with_the_line_that_installs_them(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "installed_version", lambda name: None if name == "pillow" else "1.0")
    _, text = found(tmp_path)
    assert "missing: pip install 'auxrnn[image]'" in text
    assert "auxrnn[tensorboard]" not in text


def test_a_package_that_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "installed_version", lambda name: None)
    assert "auxrnn       not installed as a package" in found(tmp_path)[0]
