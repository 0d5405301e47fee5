"""What settings may choose from. Each set stands here once; checks derive theirs by `typing.get_args`."""

from typing import Literal

Recipe = Literal["paper", "modern"]
Model = Literal["lstm", "r-lstm", "p-lstm", "rp-lstm", "sa-lstm", "lm-lstm", "transformer", "irnn", "urnn"]
Bptt = int | Literal["full"]
Gradient = Literal["truncated", "checkpointed", "exact", "fptt"]
Cell = Literal["lstm", "gru", "rnn", "lru", "mingru", "ur-lstm"]
StemKind = Literal["none", "conv", "logmel"]
StemNorm = Literal["layer", "none"]
ReadoutKind = Literal["last", "stats", "stats-max"]
Initialisation = Literal["tensorflow", "torch", "forget", "chrono", "tensorflow-chrono", "log_uniform", "uniform_gate"]
Regulariser = Literal["dropconnect", "dropout", "none"]
PositionKind = Literal["learned", "sinusoidal"]

Anchors = Literal["uniform", "end", "late", "stratified"]
Direction = Literal["past", "future"]
Placement = Literal["near", "distant"]
Order = Literal["forward", "reversed"]
Reach = Literal["segment", "bptt", "shared"]
StepTarget = Literal["softmax", "squared"]
Unfed = Literal["model", "blank"]
TruthSchedule = Literal["linear", "inverse_sigmoid", "exponential", "constant"]

Optimizer = Literal["rmsprop_tf", "rmsprop", "adam", "adamw", "sgd"]
RateSchedule = Literal["constant", "step", "cosine", "one_cycle"]
Augmentation = Literal["none", "turn", "noise", "scale"]
Keep = Literal["best", "last"]
ClassWeights = Literal["none", "balanced"]
MatmulPrecision = Literal["highest", "high", "medium"]
Backend = Literal["auto", "cudnn", "persistent"]
