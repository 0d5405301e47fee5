"""Recurrent networks as an ONNX graph, written node by node.

torch's own exporters cannot do it well: `torch.export` fixes the length of an `nn.LSTM`, and the older exporter by
tracing is deprecated. ONNX has torch's three cells as operators, and runtimes have fast kernels for them; the other
cores are a Scan.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from auxrnn.core.model import SequenceClassifier
from auxrnn.core.objectives import Supervised
from auxrnn.targets import ValueTarget
from auxrnn.use.export.onnx_cores import core_nodes
from auxrnn.use.export.onnx_nodes import Graph
from auxrnn.use.export.onnx_readouts import SUMS, readout_nodes, sums_with
from auxrnn.use.export.onnx_tokens import token_nodes
from auxrnn.use.export.served import INPUTS, Served

OPSET, IR_VERSION = 17, 8
ELEMENTS = {
    torch.uint8: TensorProto.UINT8,
    torch.int64: TensorProto.INT64,
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
}


def recurrent_graph(served: Served) -> onnx.ModelProto:
    """The model of a recurrent network, checked by onnx itself.

    Where every raw step is a token the core runs once. Else it runs twice: over the tokens that the chunk finishes, or
    over one that does not count where it finishes none, as no runtime need run a cell over no steps; and from the state
    behind them over the token that is unfinished, which counts for the answer alone.
    """
    graph = Graph()
    network = served.network
    assert isinstance(network, SequenceClassifier)
    core, tokens = core_nodes(graph, network.encoder), token_nodes(graph, served)
    some = None if tokens.number is None else graph.node("Greater", tokens.number, graph.whole(0))
    before = [part.name for part in served.core_state]
    residual = network.encoder.residual
    state, outputs = core.run(tokens.features, before)
    if residual:
        outputs = graph.node("Add", outputs, tokens.features)
    if some is not None:
        state = [graph.node("Where", some, new, old) for new, old in zip(state, before, strict=True)]
    rest = None if tokens.rest is None else core.run(tokens.rest, state)[1]  # (1, B, H)
    if residual and rest is not None and tokens.rest is not None:
        rest = graph.node("Add", rest, tokens.rest)
    for part, name in zip(served.core_state, state, strict=True):
        graph.node("Identity", name, out=part.next_name)
    names = [part.name for part in served.state]
    if "steps" in names:
        length = graph.slice(graph.node("Shape", INPUTS), graph.whole(1), graph.whole(2), 0)
        graph.node("Add", "steps", length, out="next_steps")
    supervised = network.supervised
    if served.target.per_step:
        read = graph.node("Transpose", outputs, perm=[1, 0, 2])
    elif isinstance(supervised, Supervised) and supervised.readout is not None and supervised.reads_all:
        sums = sums_with(graph, {name: name for name in SUMS if name in names}, outputs, some)
        for name, found in sums.items():
            graph.node("Identity", found, out=f"next_{name}")
        if rest is not None:
            sums = sums_with(graph, sums, rest, tokens.unfinished)
        count = graph.node("Add", "next_steps", graph.whole(served.stride - 1))
        count = graph.node("Div", count, graph.whole(served.stride))
        read = readout_nodes(graph, supervised.readout, sums, count)
    else:
        read = graph.at(-1, outputs)  # counts where a token was finished
        if rest is not None and tokens.unfinished is not None:
            read = graph.node("Where", tokens.unfinished, graph.node("Squeeze", rest, graph.whole(0)), read)
    head = supervised.head
    assert isinstance(head.first, nn.Linear)
    assert isinstance(head.second, nn.Linear)
    hidden = graph.node("Relu", graph.linear(read, head.first.weight, head.first.bias))
    outputs = graph.linear(hidden, head.second.weight, head.second.bias)
    if not served.target.has_classes:
        _values(graph, served, outputs)
    elif served.target.one_class or served.target.per_step:
        graph.node("Softmax", outputs, axis=-1, out=served.answer)
    else:
        graph.node("Sigmoid", outputs, out=served.answer)
    return _model(graph, served)


def _values(graph: Graph, served: Served, outputs: str) -> None:
    """In their own units, computed in float64."""
    assert isinstance(served.target, ValueTarget)
    size = served.target.size
    values = graph.node("Cast", outputs, to=TensorProto.DOUBLE)
    values = graph.node("Mul", values, graph.constant(served.target.scale or (1.0,) * size, np.float64))
    values = graph.node("Add", values, graph.constant(served.target.mean or (0.0,) * size, np.float64))
    graph.node("Cast", values, to=ELEMENTS[served.answer_type], out=served.answer)


def _model(graph: Graph, served: Served) -> onnx.ModelProto:
    kind, size = served.spec.kind, served.spec.size
    shape: list[Any] = ["batch", "steps"] if kind == "characters" else ["batch", "steps", size]
    inputs = [helper.make_tensor_value_info(INPUTS, ELEMENTS[served.input_type], shape)]
    answered: list[Any] = ["batch", *(["steps"] if served.target.per_step else []), served.target.size]
    outputs = [helper.make_tensor_value_info(served.answer, ELEMENTS[served.answer_type], answered)]
    for part in served.state:
        element = ELEMENTS[part.first.dtype]
        inputs.append(helper.make_tensor_value_info(part.name, element, part.shape))
        outputs.append(helper.make_tensor_value_info(part.next_name, element, part.shape))
    made = helper.make_graph(graph.nodes, "auxrnn", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="auxrnn")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model
