"""The auxiliary loss in a training loop of your own: a recurrent core, a head, two losses, one optimiser.

The task: at the end of 60 steps, say whether the first step was up or down. Gradients go back 10 steps only, so that
without the auxiliary loss nothing would teach the LSTM to keep what it saw first.
"""

import torch
from torch import nn
from torch.nn import functional

from auxrnn import InputSpec, Reconstruction, encode_windows

torch.manual_seed(0)
core = nn.LSTM(1, 16, batch_first=True)
head = nn.Linear(16, 2)
reconstruction = Reconstruction(core, InputSpec("values", 1), num_anchors=4, segment_length=20, bptt=10)
parameters = [*core.parameters(), *head.parameters(), *reconstruction.parameters()]
optimizer = torch.optim.RMSprop(parameters, lr=2e-3)

for step in range(30):
    labels = torch.randint(0, 2, (32,))
    inputs = 0.1 * torch.randn(32, 60, 1)
    inputs[:, 0, 0] += 2.0 * labels - 1.0
    stop = torch.full((32, 1), 60)  # one window a sequence: the last 10 steps carry gradient
    windows = encode_windows(core, inputs, stop - 10, stop)
    supervised = functional.cross_entropy(head(windows.outputs[:, 0, -1]), labels)
    auxiliary = reconstruction(core, inputs, truth_share=1 - step / 30)
    optimizer.zero_grad()
    (supervised + auxiliary).backward()
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    if step % 10 == 9:
        print(f"step {step + 1}: supervised {supervised.item():.3f}, auxiliary {auxiliary.item():.3f}")
