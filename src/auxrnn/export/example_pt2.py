"""What the model says, from the model.pt2 beside this file, with torch alone (and numpy for files).

python example.py               random input, in two pieces
python example.py FILE.npy      one sequence of pixels or values, (T, C) or (T,)
python example.py "some text"   one text, for a model of characters
"""

import json
import sys
from pathlib import Path

import torch

notes = {"auxrnn": ""}
program = torch.export.load(Path(__file__).with_name("model.pt2"), extra_files=notes).module()
about = json.loads(notes["auxrnn"])
kind, size = about["input"]["kind"], about["input"]["size"]


def first_state(batch):
    """The state before the first step."""
    state = []
    for part in about["state"].values():
        one = [1 if axis == "batch" else axis for axis in part["shape"]]
        first = torch.zeros(one) if part["first"] is None else torch.tensor(part["first"]).reshape(one)
        state.append(first.repeat_interleave(batch, dim=part["shape"].index("batch")))
    return state


def advance(steps, state):
    """Answers (batch, names) after `steps`, or (batch, steps, names) of each; and the state to go on from."""
    answers, *after = program(steps, *state)
    return answers, after


def read(word):
    """One sequence as a batch of one."""
    if kind == "characters":
        return torch.tensor([[about["characters"].find(character) + 1 for character in word]])
    import numpy as np

    steps = torch.from_numpy(np.load(word)).reshape(1, -1, size)
    if about["pixel_order"] is not None:
        steps = steps[:, about["pixel_order"]]
    return steps.to(getattr(torch, about["input"]["type"]))


def random_steps(number):
    if kind == "values":
        return torch.randn(1, number, size, dtype=getattr(torch, about["input"]["type"]))
    if kind == "characters":
        return torch.randint(0, size, (1, number))
    return torch.randint(0, about["input"]["levels"], (1, number, size)).to(torch.uint8)


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
places = range(len(last)) if about["target"] == "value" else last.argsort(descending=True)[:5].tolist()
form = ".6f" if about["target"] != "value" else ".9g" if last.dtype == torch.float32 else ".15g"
for place in places:
    print(f"{about['classes'][place]}: {float(last[place]):{form}}")
