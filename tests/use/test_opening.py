"""A model is found in the folder of its run as in its own."""

import pytest

from auxrnn.errors import InputError
from auxrnn.use.opening import open_model
from auxrnn.use.persistence import load_model


def test_where_a_model_is_looked_for(tmp_path, finished_run):
    expected = load_model(finished_run / "model")
    for folder in (finished_run, finished_run / "model"):
        assert open_model(folder).facts == expected.facts
    with pytest.raises(InputError, match="found nothing"):
        open_model(tmp_path / "none")
    with pytest.raises(InputError, match="found none"):
        open_model(tmp_path)
    (tmp_path / "config.yaml").touch()
    with pytest.raises(InputError, match="expected a finished run"):
        open_model(tmp_path)
