"""What the model says, from the model.onnx beside this file, with numpy and onnxruntime alone.

python example.py               random input, in two pieces
python example.py FILE.npy      one sequence of pixels or values, (T, C) or (T,)
python example.py "some text"   one text, for a model of characters
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(str(Path(__file__).with_name("model.onnx")), providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["auxrnn"])
kind, size = about["input"]["kind"], about["input"]["size"]


def first_state(batch):
    """The state before the first step, by name."""
    state = {}
    for name, part in about["state"].items():
        one = [1 if axis == "batch" else axis for axis in part["shape"]]
        first = np.zeros(one) if part["first"] is None else np.reshape(part["first"], one)
        state[name] = np.repeat(first.astype(part["type"]), batch, axis=part["shape"].index("batch"))
    return state


def advance(steps, state):
    """Answers (batch, names) after `steps`, or (batch, steps, names) of each; and the state to go on from."""
    answers, *after = session.run(None, {"inputs": steps, **state})
    return answers, dict(zip(state, after, strict=True))


def read(word):
    """One sequence as a batch of one."""
    if kind == "characters":
        return np.array([[about["characters"].find(character) + 1 for character in word]], np.int64)
    steps = np.load(word).reshape(1, -1, size)
    if about["pixel_order"] is not None:
        steps = steps[:, about["pixel_order"]]
    return steps.astype(about["input"]["type"])


def random_steps(number):
    draw = np.random.default_rng(0)
    if kind == "values":
        return draw.normal(size=(1, number, size)).astype(about["input"]["type"])
    if kind == "characters":
        return draw.integers(0, size, (1, number))
    return draw.integers(0, about["input"]["levels"], (1, number, size)).astype(np.uint8)


steps = read(sys.argv[1]) if len(sys.argv) > 1 else random_steps(min(100, about["longest"] or 100))
state = first_state(batch=1)
if state:
    half = (steps.shape[1] + 1) // 2
    answers, state = advance(steps[:, :half], state)
    if half < steps.shape[1]:
        answers, state = advance(steps[:, half:], state)
else:
    answers, state = advance(steps, state)
last = answers[0, -1] if about["per_step"] else answers[0]  # the tags of the last step
places = range(len(last)) if about["target"] == "value" else np.argsort(-last)[:5]
form = ".6f" if about["target"] != "value" else ".9g" if last.dtype == np.float32 else ".15g"
for place in places:
    print(f"{about['classes'][place]}: {last[place]:{form}}")
