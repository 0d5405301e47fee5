"""An LSTM whose recurrent weights stay on one multiprocessor for the whole window, and the choice between it and torch.

Knows nothing of truncation, losses or models. Only `forward` and `backward` import Triton, and only `launch` them.
"""
