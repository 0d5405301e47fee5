"""A digest of a set of weights: names, types, shapes and numbers. Knows no file."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def fingerprint(weights: Mapping[str, Tensor], also: str = "") -> str:
    """64 hexadecimal digits, the same for the same tensors on any device; `also`: a text that belongs to them."""
    digest = hashlib.sha256(also.encode())
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
