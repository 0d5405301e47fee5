"""Transformers as programs of `torch.export`, with dynamic batch and length, from which torch writes ONNX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from auxrnn.use.export.served import Served


def exported_program(served: Served) -> torch.export.ExportedProgram:
    """The program of a transformer: any batch, any length (with learned positions: up to its longest)."""
    from torch.export import Dim

    size = () if served.spec.kind == "characters" else (served.spec.size,)
    example = torch.zeros((2, 5, *size), dtype=served.input_type)
    shapes = {"inputs": {0: Dim("batch", min=1), 1: Dim("steps", min=1, max=served.network.longest)}}
    with torch.no_grad(), _plain_attention():
        return torch.export.export(served.eval(), (example,), dynamic_shapes=shapes)


@contextmanager
def _plain_attention() -> Iterator[None]:
    """Without the fused kernel of attention layers, which programs cannot hold."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
