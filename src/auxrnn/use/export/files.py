"""Writing an exported model: the file, an example that runs it with nothing of ours, a page, and the proof that it is
the model: the largest difference on random input of other lengths and batch sizes.
"""

from __future__ import annotations

import copy
import io
import json
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from auxrnn.core.batch import as_batch
from auxrnn.errors import InputError
from auxrnn.storage.files import check_place
from auxrnn.storage.folders import write_folder
from auxrnn.targets import Target, ValueTarget
from auxrnn.use.card import described
from auxrnn.use.export.served import INPUTS, Served, description, type_name
from auxrnn.use.persistence import CONFIG, SavedModel

Run = Callable[..., list[Tensor]]

ABOUT = "auxrnn"
"""The entry of a file's own notes that holds `served.description` as JSON."""

LARGEST_DIFFERENCE = 1e-4
"""Largest difference of an answer or a state from the model's own; more is a fault, and nothing is written."""

CASES = ((1, 1), (3, 2), (2, 33), (5, 150))
"""Batch and length of each comparison; none is that of the export's own example."""


@dataclass(frozen=True)
class Exported:
    """What an export has written.

    Attributes
    ----------
    model : Path
        The ONNX file.
    files : tuple of Path
        All files.
    difference : float
        Largest difference from the model's own answers and states.
    """

    model: Path
    files: tuple[Path, ...]
    difference: float


def export_model(saved: SavedModel, folder: Path) -> Exported:
    """Write `model.onnx`, `example.py` and `README.md` into a folder, all at once.

    The file is first compared with the model on random input of other lengths and batch sizes.

    Parameters
    ----------
    saved : SavedModel
        Of any cell, or a transformer.
    folder : Path
        Made where it is missing; an older export in it is replaced.

    Returns
    -------
    Exported
        The files and the largest difference, at most 1e-4.

    Raises
    ------
    InputError
        Where a library is missing, for a core of your own, and where the file does not say what the model says.
    """
    made = checked_onnx(saved, folder)
    model, example, page = folder / "model.onnx", folder / "example.py", folder / "README.md"
    script = Path(__file__).with_name("example_onnx.py").read_text(encoding="utf-8")
    text = _page(saved, made.served, made.difference)
    write_folder(
        folder,
        {
            model.name: lambda aside: aside.write_bytes(made.content),
            example.name: lambda aside: aside.write_text(script, encoding="utf-8"),
            page.name: lambda aside: aside.write_text(text, encoding="utf-8"),
        },
    )
    return Exported(model, (model, example, page), made.difference)


@dataclass(frozen=True)
class OnnxFile:
    """The bytes of an ONNX file, what it was made of, its notes, and how far it is from the model."""

    content: bytes
    served: Served
    about: dict[str, Any]
    difference: float


def checked_onnx(saved: SavedModel, folder: Path) -> OnnxFile:
    """Make the ONNX file that is to lie in `folder`, and compare it with the model; InputError as of `export_model`."""
    missing = [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"Expected {', '.join(missing)} for ONNX, found none; install with: pip install 'auxrnn[export]'"
        )
    if (folder / CONFIG).exists():
        raise InputError(
            f"{folder}: expected a folder without a model, whose card would be lost; choose another --out."
        )
    check_place(folder / "model.onnx")
    served = Served(replace(saved, network=copy.deepcopy(saved.network).cpu()))
    about = description(saved, served)
    content = _onnx_bytes(served, json.dumps(about))
    difference = largest_difference(_onnx_run(content, served), served)
    if not difference <= LARGEST_DIFFERENCE:
        raise InputError(
            f"Expected the ONNX file to say what the model says, found a difference of {difference:.2g} on random "
            f"input; nothing was written. The model's weights may be out of the range where float32 holds them."
        )
    return OnnxFile(content, served, about, difference)


def largest_difference(run: Run, served: Served) -> float:
    """Find the largest difference between `run(inputs, *state)` and the model, from the first state and a later one.

    Answers or a state beyond 1 in size count relative to their largest entry. Values are drawn around the mean of
    training in float64, and handed over in the type that the file takes; answers that are values are compared in
    deviations. From the first state the answers are compared with the network's own, which plans its windows for
    unequal lengths and shares nothing with the export.
    """
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch, steps in CASES:
        steps = min(steps, served.network.longest or steps)
        inputs = _random_inputs(served, batch, steps, generator)
        first = [part.before(batch) for part in served.state]
        states = [first, _later(served, batch, generator)] if first else [first]
        for number, state in enumerate(states):
            found = run(inputs.to(served.input_type), *state)
            with torch.no_grad():
                expected = list(served(inputs, *state))
                if number == 0:
                    expected[0] = served.target.shares(served.network(as_batch(served.standardised(inputs))))
            found[0], expected[0] = (_in_deviations(answers, served.target) for answers in (found[0], expected[0]))
            for one, other in zip(found, expected, strict=True):
                one, other = one.double(), other.double()
                difference = float((one - other).abs().max() / other.abs().max().clamp(min=1.0)) if one.numel() else 0.0
                worst = max(worst, math.inf if math.isnan(difference) else difference)
    return worst


def _in_deviations(answers: Tensor, target: Target) -> Tensor:
    """Values as they were learned, so that an offset does not hide a difference; other answers as they are."""
    if not isinstance(target, ValueTarget) or not target.mean:
        return answers
    return (answers.double() - torch.tensor(target.mean).double()) / torch.tensor(target.scale).double()


def _later(served: Served, batch: int, generator: torch.Generator) -> list[Tensor]:
    """A random state of the core, and beside it what reading some steps has left, an unfinished token too."""
    number = len(served.core_state)
    first = [part.before(batch) for part in served.state]
    core = [torch.randn(part.shape, generator=generator) / 2 for part in first[:number]]
    if len(first) == number:
        return core
    steps = 3 * served.stride + served.stride // 2 + 1
    with torch.no_grad():
        _, *left = served(_random_inputs(served, batch, steps, generator), *first)
    return [*core, *left[number:]]


def _random_inputs(served: Served, batch: int, steps: int, generator: torch.Generator) -> Tensor:
    kind, size = served.spec.kind, served.spec.size
    if kind == "values":
        values = torch.randn((batch, steps, size), generator=generator)
        if served.mean is not None and served.scale is not None:
            return values.double() * served.scale + served.mean
        return values
    shape, top = ((batch, steps), size) if kind == "characters" else ((batch, steps, size), served.spec.levels)
    return torch.randint(0, top, shape, generator=generator).to(served.input_type)


def _onnx_bytes(served: Served, about: str) -> bytes:
    import onnx

    if served.state:
        from auxrnn.use.export.onnx_graph import recurrent_graph

        model = recurrent_graph(served)
    else:
        from auxrnn.use.export.program import exported_program

        with _silence():
            made = torch.onnx.export(
                exported_program(served),
                dynamo=True,
                input_names=[INPUTS],
                output_names=[served.answer],
                verbose=False,
            )
        assert made is not None
        model = made.model_proto
    onnx.helper.set_model_props(model, {ABOUT: about})
    return model.SerializeToString()


def _onnx_run(content: bytes, served: Served) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    names = [INPUTS, *(part.name for part in served.state)]

    def run(*tensors: Tensor) -> list[Tensor]:
        given = {name: tensor.numpy() for name, tensor in zip(names, tensors, strict=True)}
        return [torch.from_numpy(found) for found in session.run(None, given)]

    return run


@contextmanager
def _silence() -> Iterator[None]:
    """torch's exporters print their progress and warn of their own insides."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.filterwarnings("ignore", module=r"(torch|copyreg|onnxscript|onnx_ir)(\..*)?")
            yield
    finally:
        logger.setLevel(level)


def _page(saved: SavedModel, served: Served, difference: float) -> str:
    kind, size = served.spec.kind, served.spec.size
    inputs = {
        "pixels": f"`uint8 (batch, steps, {size})`, levels 0 to {served.spec.levels - 1}",
        "values": f"`{type_name(served.input_type)} (batch, steps, {size})`, as measured; standardised inside",
        "characters": "`int64 (batch, steps)`, the place of each character among the known ones from 1, else 0",
    }[kind]
    state = "".join(
        f"| `{part.name}` | `{type_name(part.first.dtype)} ({', '.join(map(str, part.shape))})`, "
        f"{'the first value is in the notes' if part.first.any() else 'zeros'} before the first step; "
        f"`{part.next_name}` after the last |\n"
        for part in served.state
    )
    pieces = (
        "A long sequence can be given in pieces: hand each call the state that the one before it gave."
        if served.state
        else "The network has no state: give it each sequence as a whole."
    )
    return f"""# model.onnx

{described(saved.config, saved.target)}, for any batch size and {_lengths(served)}.
`python example.py` runs it; it needs numpy and onnxruntime alone.

| name | what |
|---|---|
| `{INPUTS}` | {inputs} |
{state}| `{served.answer}` | {_answers(served)} |

{pieces} All sequences of a batch have the same number of steps.

The file's own notes (entry `{ABOUT}`, JSON) hold the names of the answers, the characters, the order of pixels and
the first state.

Compared with the model on random input of {len(CASES)} other lengths and batch sizes, from the first state and from
a later one: the largest difference of an answer or a state is {difference:.2g}.
"""


def _answers(served: Served) -> str:
    size, what = served.target.size, "each value" if served.target.kind == "value" else "each class"
    if served.target.per_step:
        return f"`{type_name(served.answer_type)} (batch, steps, {size})`, of {what} at every step"
    return f"`{type_name(served.answer_type)} (batch, {size})`, of {what} after the last step"


def _lengths(served: Served) -> str:
    longest = served.network.longest
    return "any length" if longest is None else f"up to {longest} steps"
