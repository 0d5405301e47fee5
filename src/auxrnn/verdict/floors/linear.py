"""Linear models on features, for every target alike: a ridge regression on its codes of the labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Array = npt.NDArray[Any]

STRENGTHS = np.logspace(-3, 3, 10)
"""Penalties that are tried; the same as those of aeon's MiniRocket classifier."""

SPARSE_STRENGTH, SPARSE_TOLERANCE = 1.0, 0.1
"""The penalty on sparse features, of which there are too many to try several in a second, and the residual that is left
of the equations: less takes more than twice as long and answers no better (measured on 4,000 abstracts)."""


class LinearModel:
    """Ridge regression of codes (N, size) on standardised features (N, F), its penalty chosen by leaving one out.

    Sparse features are neither standardised nor is their penalty chosen.
    """

    def __init__(self, features: Any, codes: Array) -> None:
        from scipy.sparse import issparse
        from sklearn.linear_model import Ridge, RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        if issparse(features):
            self._model: Any = Ridge(SPARSE_STRENGTH, solver="sparse_cg", tol=SPARSE_TOLERANCE)
        else:
            self._model = make_pipeline(StandardScaler(), RidgeCV(STRENGTHS))
        self._model.fit(features, codes)

    def outputs(self, features: Any) -> Tensor:
        """(N, size) float64."""
        found = np.asarray(self._model.predict(features), dtype=np.float64)
        return torch.from_numpy(found.reshape(features.shape[0], -1))
