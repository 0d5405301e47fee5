"""torch's own LSTM is the oracle here, so on a GPU it may not leave digits out: cuDNN takes tf32 unless told."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def all_digits() -> Iterator[None]:
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield
