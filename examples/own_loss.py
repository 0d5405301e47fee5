"""An auxiliary loss of your own: the state at a random anchor has to tell the mean of the steps that were just read.

An objective names the windows that it needs; truncation runs the core there; the objective turns what came out into a
loss. The mean of a segment asks less of a state than its reconstruction, and needs no decoder.
"""

import torch
from torch import nn

from auxrnn import Encoder, InputSpec, Objective, SequenceBatch, SequenceClassifier
from auxrnn.core.anchors import reconstruction_segments, step_generator
from auxrnn.core.encoder import top_state
from auxrnn.core.objectives import Draw, Loss
from auxrnn.core.objectives.tokens import steps_at
from auxrnn.core.truncation import WindowPlan
from auxrnn.targets.losses import squared_loss


class SegmentMean(Objective):
    def __init__(self, hidden_size: int, channels: int, *, num_anchors: int, segment_length: int, bptt: int) -> None:
        super().__init__()
        self.head = nn.Linear(hidden_size, channels)
        self.num_anchors, self.segment_length, self.bptt = num_anchors, segment_length, bptt

    def draw(self, lengths, generator):
        segments = reconstruction_segments(lengths, self.num_anchors, self.segment_length, generator)
        start = (segments.anchor - self.bptt).clamp(min=0)  # the gradient goes back to here
        return Draw(WindowPlan(start, segments.anchor, outputs=False), segments)

    def loss(self, batch, draw, windows, truth_share):
        hidden = top_state(windows.state)[0]  # (R, H), a row for each of B * n anchors
        length = draw.segments.length.flatten()  # (R,)
        each = torch.arange(self.segment_length)
        steps = steps_at(batch, draw.segments.start.unsqueeze(-1) + each)  # (R, l, C)
        inside = (each < length.unsqueeze(1)).unsqueeze(-1)
        means = (steps * inside).sum(1) / length.unsqueeze(1)
        return Loss(squared_loss(self.head(hidden), means).sum(), len(means))


torch.manual_seed(0)
encoder = Encoder(InputSpec("values", 3), hidden_size=12, projection_size=8)
own = SegmentMean(12, encoder.step_spec.size, num_anchors=4, segment_length=8, bptt=4)
network = SequenceClassifier(encoder, num_classes=2, auxiliaries={"mean": own}, bptt=4)
optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)

inputs, lengths = torch.randn(16, 30, 3).cumsum(1) / 5, torch.randint(5, 31, (16,))
batch = SequenceBatch(inputs, lengths, labels=(inputs[:, 0, 0] > 0).long())
for step in range(20):
    losses = network.losses(batch, ["supervised", "mean"], 1.0, step_generator(step))
    optimizer.zero_grad()
    sum(part.mean for part in losses.values()).backward()
    optimizer.step()
    if step % 5 == 4:
        print(f"step {step + 1}: " + ", ".join(f"{name} {part.mean.item():.3f}" for name, part in losses.items()))
