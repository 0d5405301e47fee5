"""A folder of recordings from files to answers, with nothing said but the folder."""

import json

import numpy as np
import pytest

from auxrnn.cli import main
from auxrnn.runs.folder import RunFolder, read_config
from auxrnn.runs.use import evaluate, predict_file
from own_files import write_wave

pytest.importorskip("soundfile")


def tone(path, hertz, rate, generator):
    times = np.arange(round(0.3 * rate)) / rate
    sound = 8000 * np.sin(2 * np.pi * hertz * times) * np.sin(np.pi * times / 0.3) + generator.normal(0, 50, len(times))
    return write_wave(path, np.round(sound).astype(int), rate=rate)


def test_recordings_of_two_rates_by_mel_bands(tmp_path, monkeypatch, capsys):
    """High and low tones; a tenth of the recordings is resampled, and so is what is asked about later."""
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    for index in range(40):
        name, hertz = ("low", 300) if index % 2 else ("high", 1500)
        tone(tmp_path / "in" / name / f"{index}.wav", hertz, 16_000 if index % 10 < 1 else 8000, generator)
    assert main(["train", "in", "--out", "run", "--max_epochs", "2", "--hidden_size", "8"]) == 0
    said = capsys.readouterr().out
    assert "Resampled to 8,000 Hz: 4 of 16,000 Hz" in said
    assert "Chosen      --stem logmel: recordings by bands" in said
    assert "Chosen      --sample_rate 8000: that of the recordings" in said
    assert "30 tokens of 80 steps at most" in said  # 10 ms each
    config = read_config(RunFolder(tmp_path / "run"))
    assert (config.stem, config.sample_rate, config.stride) == ("logmel", 8000, 1)
    assert evaluate(tmp_path / "run")["accuracy"] == 1
    slow, fast = (tone(tmp_path / f"{rate}.wav", 1500, rate, np.random.default_rng(1)) for rate in (8000, 32_000))
    answers = [next(predict_file(tmp_path / "run", path)).shares for path in (slow, fast)]
    assert answers[0][0] > 0.9  # "high" is the first class
    np.testing.assert_allclose(answers[0], answers[1], atol=0.02)
    again = ["train", "--config", "run/config.yaml", "--out", "again"]
    assert main(again) == 0
    one, other = (json.loads((tmp_path / name / "result.json").read_text()) for name in ("run", "again"))
    assert one["test_loss"] == other["test_loss"]


def test_raw_samples_where_they_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for index in range(12):
        tone(
            tmp_path / "in" / "ab"[index % 2] / f"{index}.wav", 300 + 900 * (index % 2), 8000, np.random.default_rng(0)
        )
    assert main(["train", "in", "--out", "run", "--max_epochs", "1", "--hidden_size", "4", "--stem", "conv"]) == 0
    config = read_config(RunFolder(tmp_path / "run"))
    assert (config.stem, config.sample_rate) == ("conv", None)
    assert config.stride > 1
