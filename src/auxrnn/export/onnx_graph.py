"""Recurrent networks as an ONNX graph, written node by node.

torch's own exporters cannot do it well: `torch.export` fixes the length of an `nn.LSTM`, and the older exporter by
tracing is deprecated. ONNX has the three cells as operators, and runtimes have fast kernels for them; a uRNN is a Scan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from auxrnn.baselines.urnn import SMALLEST, UnitaryRNN
from auxrnn.export.served import INPUTS, Layer, Served, layers_of, unitary_of
from auxrnn.model import SequenceClassifier
from auxrnn.targets import ValueTarget

OPSET, IR_VERSION = 17, 8
ELEMENTS = {
    torch.uint8: TensorProto.UINT8,
    torch.int64: TensorProto.INT64,
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
}
OPERATORS = {"LSTM": "LSTM", "GRU": "GRU", "RNN_TANH": "RNN", "RNN_RELU": "RNN"}
GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN_TANH": (0,), "RNN_RELU": (0,)}
"""Which of torch's gates stand where in ONNX: input, output, forget, cell; and update, reset, new."""


def recurrent_graph(served: Served) -> onnx.ModelProto:
    """The model of a recurrent network, checked by onnx itself."""
    network = served.network
    assert isinstance(network, SequenceClassifier)
    graph = _Graph()
    steps = graph.node("Transpose", _features(graph, served), perm=[1, 0, 2])  # (T, B, F)
    core = network.encoder.core
    if isinstance(core, UnitaryRNN):
        last, outputs = _unitary(graph, served, steps)
    else:
        last, outputs = _cells(graph, core, layers_of(network.encoder), steps)
    head = network.supervised.head
    assert isinstance(head.first, nn.Linear)
    assert isinstance(head.second, nn.Linear)
    read = graph.node("Transpose", outputs, perm=[1, 0, 2]) if served.target.per_step else last
    hidden = graph.node("Relu", graph.linear(read, head.first.weight, head.first.bias))
    ANSWERS[served.target.kind](graph, served, graph.linear(hidden, head.second.weight, head.second.bias))
    return _model(graph, served)


class _Graph:
    """Nodes and constants in the making; every result has a name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def node(self, operator: str, *inputs: str, out: str | None = None, **attributes: Any) -> str:
        """Add a node of one output and return the output's name."""
        name = out or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, values: Tensor | Sequence[float] | float, dtype: Any = np.float32) -> str:
        array = np.asarray(values.numpy() if isinstance(values, Tensor) else values, dtype=dtype)
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def linear(self, inputs: str, weight: Tensor, bias: Tensor) -> str:
        """inputs (..., F), of any number of dimensions."""
        return self.node("Add", self.node("MatMul", inputs, self.constant(weight.T)), self.constant(bias))


def _likeliest(graph: _Graph, served: Served, outputs: str) -> None:
    graph.node("Softmax", outputs, axis=-1, out=served.answer)


def _each(graph: _Graph, served: Served, outputs: str) -> None:
    graph.node("Sigmoid", outputs, out=served.answer)


def _values(graph: _Graph, served: Served, outputs: str) -> None:
    """In their own units, computed in float64."""
    assert isinstance(served.target, ValueTarget)
    size = served.target.size
    values = graph.node("Cast", outputs, to=TensorProto.DOUBLE)
    values = graph.node("Mul", values, graph.constant(served.target.scale or (1.0,) * size, np.float64))
    values = graph.node("Add", values, graph.constant(served.target.mean or (0.0,) * size, np.float64))
    graph.node("Cast", values, to=ELEMENTS[served.answer_type], out=served.answer)


ANSWERS: dict[str, Callable[[_Graph, Served, str], None]] = {
    "class": _likeliest,
    "classes": _each,
    "value": _values,
    "tags": _likeliest,
}
"""The nodes from the head's outputs to the answers, by the kind of target."""


def _features(graph: _Graph, served: Served) -> str:
    """(B, T, F) float32 from the raw inputs."""
    network = served.network
    assert isinstance(network, SequenceClassifier)
    if network.encoder.features.embedding is not None:
        return graph.node("Gather", graph.constant(network.encoder.features.embedding.weight), INPUTS)
    if served.spec.kind == "pixels":
        scaled = graph.node("Cast", INPUTS, to=TensorProto.FLOAT)
        return graph.node("Div", scaled, graph.constant(float(served.spec.levels - 1)))
    if served.mean is None or served.scale is None:
        return graph.node("Identity", INPUTS)
    values = graph.node("Cast", INPUTS, to=TensorProto.DOUBLE)
    values = graph.node("Sub", values, graph.constant(served.mean, np.float64))
    values = graph.node("Div", values, graph.constant(served.scale, np.float64))
    return graph.node("Cast", values, to=TensorProto.FLOAT)


def _cells(graph: _Graph, core: nn.Module, layers: list[Layer], steps: str) -> tuple[str, str]:
    """One operator a layer over steps (T, B, F); the last output of the uppermost (B, H), and all (T, B, H)."""
    assert isinstance(core, nn.RNNBase)
    names = ["hidden", "cell"] if core.mode == "LSTM" else ["hidden"]
    options: dict[str, Any] = {"hidden_size": core.hidden_size}
    if core.mode == "GRU":
        options["linear_before_reset"] = 1  # torch's form of the reset gate
    if core.mode == "RNN_RELU":
        options["activations"] = ["Relu"]
    after: dict[str, list[str]] = {name: [] for name in names}
    for index, layer in enumerate(layers):
        place = graph.constant([index], np.int64), graph.constant([index + 1], np.int64), graph.constant([0], np.int64)
        state = [graph.node("Slice", name, *place) for name in names]  # (1, B, H)
        weights = [graph.constant(_ordered(part, core.mode).unsqueeze(0)) for part in (layer.inputs, layer.hidden)]
        both = torch.cat([_ordered(layer.inputs_bias, core.mode), _ordered(layer.hidden_bias, core.mode)])
        last = [f"layer_{index}_{name}" for name in names]
        inputs = [steps, *weights, graph.constant(both.unsqueeze(0)), "", *state]
        outputs = [f"layer_{index}_outputs", *last]  # (T, 1, B, H)
        graph.nodes.append(helper.make_node(OPERATORS[core.mode], inputs, outputs, **options))
        for name, found in zip(names, last, strict=True):
            after[name].append(found)
        steps = graph.node("Squeeze", outputs[0], graph.constant([1], np.int64))
    for name, parts in after.items():
        graph.node("Concat", *parts, axis=0, out=f"next_{name}")
    return graph.node("Squeeze", after["hidden"][-1], graph.constant([0], np.int64)), steps


def _ordered(weight: Tensor, mode: str) -> Tensor:
    """A weight (gates * H, ...) with its gates in the order of ONNX."""
    gates = weight.unflatten(0, (len(GATES[mode]), -1))
    return gates[list(GATES[mode])].flatten(0, 1)


def _unitary(graph: _Graph, served: Served, steps: str) -> tuple[str, str]:
    """A Scan over the steps of a uRNN: `modReLU(given + state @ W)`; the last state (B, 2H), and all (T, B, 2H)."""
    assert isinstance(served.network, SequenceClassifier)
    weights = unitary_of(served.network.encoder)
    units = len(weights.bias)
    given = graph.node("MatMul", steps, graph.constant(weights.input_map))
    given = graph.node("Add", given, graph.constant(weights.input_bias))  # (T, B, 2H)
    matrix, bias, small = graph.constant(weights.matrix), graph.constant(weights.bias), graph.constant(SMALLEST)
    apart, together = graph.constant([0, 2, units], np.int64), graph.constant([0, 2 * units], np.int64)
    step = _Graph()
    turned = step.node("Add", "step_given", step.node("MatMul", "step_before", matrix, out="turned"), out="sum")
    parts = step.node("Reshape", turned, apart, out="parts")  # (B, 2, H)
    modulus = step.node("ReduceL2", parts, axes=[1], keepdims=1, out="modulus")
    kept = step.node("Relu", step.node("Add", modulus, bias, out="biased"), out="kept")
    factor = step.node("Div", kept, step.node("Add", modulus, small, out="safe"), out="factor")
    step.node("Reshape", step.node("Mul", parts, factor, out="shrunk"), together, out="step_after")

    def value(name: str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2 * units])

    step.node("Identity", "step_after", out="step_said")
    taken, left = [value("step_before"), value("step_given")], [value("step_after"), value("step_said")]
    body = helper.make_graph(step.nodes, "step", taken, left)
    outputs = ["next_hidden", "hidden_steps"]
    graph.nodes.append(helper.make_node("Scan", ["hidden", given], outputs, body=body, num_scan_inputs=1))
    return outputs[0], outputs[1]


def _model(graph: _Graph, served: Served) -> onnx.ModelProto:
    kind, size = served.spec.kind, served.spec.size
    shape: list[Any] = ["batch", "steps"] if kind == "characters" else ["batch", "steps", size]
    inputs = [helper.make_tensor_value_info(INPUTS, ELEMENTS[served.input_type], shape)]
    answered: list[Any] = ["batch", *(["steps"] if served.target.per_step else []), served.target.size]
    outputs = [helper.make_tensor_value_info(served.answer, ELEMENTS[served.answer_type], answered)]
    for part in served.state:
        own: list[Any] = list(part.first.shape)
        own[part.batch_dim] = "batch"
        inputs.append(helper.make_tensor_value_info(part.name, TensorProto.FLOAT, own))
        outputs.append(helper.make_tensor_value_info(part.next_name, TensorProto.FLOAT, own))
    made = helper.make_graph(graph.nodes, "auxrnn", inputs, outputs, graph.constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="auxrnn")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return model
