"""The curve in TensorBoard is the curve of the history."""

import pytest

from auxrnn.training.board import TensorBoardCurve
from auxrnn.training.fit import fit
from tiny_runs import MODEL, TRAINING, make_data, make_model

pytest.importorskip("tensorboard")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # TensorBoard's own, of protobuf and NumPy
def test_every_row_is_there(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert TensorBoardCurve.is_installed()
    found = fit(make_model(), make_data(), make_data(), MODEL, TRAINING, folder=tmp_path, quiet=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    rows = [row for row in found.history if row["phase"] == "train"]
    assert len(rows) > 1
    for name in ("loss", "validation_accuracy"):
        scalars = events.Scalars(f"train/{name}")
        assert [scalar.step for scalar in scalars] == [row["epoch"] for row in rows]
        assert [scalar.value for scalar in scalars] == pytest.approx([row[name] for row in rows])
