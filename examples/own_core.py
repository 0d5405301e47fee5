"""A recurrent cell of your own: a minimal gated unit (Zhou et al. 2016, arXiv 1603.09420) with everything around it.

A core is any module `forward(inputs (B, T, F), state=None) -> (outputs (B, T, H), state)`. Truncation, both auxiliary
losses and streaming take it as it is.
"""

import torch
from torch import nn

from auxrnn import Encoder, InputSpec, Prediction, Reconstruction, SequenceBatch, SequenceClassifier
from auxrnn.core.anchors import step_generator
from auxrnn.use.streaming import Stream


class MinimalGatedUnit(nn.Module):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.gate = nn.Linear(input_size + hidden_size, hidden_size)
        self.candidate = nn.Linear(input_size + hidden_size, hidden_size)

    def forward(self, inputs, state=None):
        hidden = inputs.new_zeros(len(inputs), self.hidden_size) if state is None else state
        outputs = []
        for step in inputs.unbind(1):
            forget = torch.sigmoid(self.gate(torch.cat([step, hidden], 1)))
            new = torch.tanh(self.candidate(torch.cat([step, forget * hidden], 1)))
            hidden = (1 - forget) * hidden + forget * new
            outputs.append(hidden)
        return torch.stack(outputs, 1), hidden


torch.manual_seed(0)
encoder = Encoder(InputSpec("values", 3), cell=MinimalGatedUnit(8, 12), projection_size=8)
options = {"num_anchors": 2, "segment_length": 6, "bptt": 4, "hidden_size": 12}
auxiliaries = {"reconstruct": Reconstruction(encoder, **options), "predict": Prediction(encoder, **options)}
network = SequenceClassifier(encoder, num_classes=2, auxiliaries=auxiliaries, bptt=4)
optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)

inputs, lengths = torch.randn(16, 30, 3), torch.randint(5, 31, (16,))
batch = SequenceBatch(inputs, lengths, labels=(inputs[:, 0, 0] > 0).long())
for step in range(5):
    losses = network.losses(batch, ["supervised", "reconstruct", "predict"], 1.0, step_generator(step))
    loss = sum(part.mean for part in losses.values())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(f"step {step}: " + ", ".join(f"{name} {part.mean.item():.3f}" for name, part in losses.items()))

stream = Stream(network)
for piece in inputs[:1].split(7, dim=1):
    probabilities = stream.push(piece)
print(f"after {stream.steps} steps: {[round(share, 3) for share in probabilities[0].tolist()]}")
