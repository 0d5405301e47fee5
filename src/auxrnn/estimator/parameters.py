"""The parameters that all estimators have, and what they are."""

from __future__ import annotations

import math
from typing import Any, Self

from sklearn.base import BaseEstimator

from auxrnn.errors import InputError, did_you_mean
from auxrnn.estimator.settings import AUTO, with_hint


class SequenceParameters(BaseEstimator):
    """A recurrent network on sequences that are too long to back-propagate through.

    Memory does not grow with the length. Auxiliary losses at random anchors are options.

    What `X` may be:

    - an array (N, T, C): N sequences of T steps of C channels;
    - an array (N, T), a table or nested lists of one length: T steps of one channel. Each column is then a feature, as
      for scikit-learn's other estimators: a table to predict from needs the columns of training. Sequences of other
      lengths go in as (N, T, 1) or as a list;
    - a list of arrays (T_i, C) or (T_i,) of any lengths;
    - a list of texts of any lengths, read by characters; all characters unknown from training are one.

    Arrays of uint8 are pixels (levels 0 to 255); other numbers are values, standardised by channel as the training
    split was.

    "auto" settings come from the recipe, or from the data by the rules of `auxrnn train` (`training.sensible`,
    `training.chosen`). `config_` says afterwards what was taken.

    Parameters
    ----------
    recipe : {"modern", "paper"}
        Where "auto" settings come from: `auxrnn.config.RECIPES`. "modern" learns raw long sequences in seconds to
        minutes; "paper" is the published network and training.
    candidates : int or "auto"
        How many sets of settings `fit` tries shortly on a held-out part of the training data, at least 1, before it
        trains with the best; 1 takes the first. "auto": 5 for "modern", or 1 where `max_epochs` is given.
    budget : str or None
        Train for about this long ("90s", "10m", "1h") in place of the recipe's number of steps.
    cell : {"lstm", "gru", "rnn", "lru", "mingru", "ur-lstm"}
        Recurrent cell of the main network, and of the decoders where it is one of the first three.
    hidden_size : int or "auto"
        Units of the main network, at least 1.
    aux : {"reconstruct", "predict", "both", None} or "auto"
        Auxiliary loss: r-LSTM, p-LSTM, both together, or none.
    stem : {"conv", "logmel", "none"} or "auto"
        What turns raw steps into tokens, which the recurrent network then reads.
    sample_rate : int or None
        Raw steps a second, in Hz, for the stem "logmel".
    stride, kernel : int or "auto"
        Raw steps of a token; width of the stem's convolution in strides. At least 1.
    stem_norm : {"layer", "none"} or "auto"
        Layer norm over the features of a token, or none, so that a loud event stands out.
    residual : bool or "auto"
        Whether each output of the recurrent network gets its token added; needs a stem.
    readout : {"last", "stats", "stats-max"} or "auto"
        What the head reads: the last output, mean and deviation over all tokens, or the greatest outputs too.
    num_windows, top_windows : int or "auto"
        Windows a sequence and step, at least 1, through which a readout of all tokens has its gradient.
    anchor_labels : float or "auto"
        Weight, at least 0, of the label asked at the end of each of those windows too.
    bptt : int, "full" or "auto"
        Truncation of the losses in tokens, at least 0; "full" is full back-propagation, 0 trains the head alone.
    gradient : {"truncated", "checkpointed", "exact", "fptt"}
        How the loss of the labels has its gradient: in windows of `bptt`; or through all steps, by states kept at a
        distance, or by eligibility traces of the cells "lru" and "mingru"; or in pieces of `bptt` tokens, with a step
        of the optimiser after each.
    num_anchors, segment_length : int or "auto"
        Random anchors a sequence and step (at least 1), and tokens reconstructed (at least 2) or predicted (at least
        1) at each.
    pretrain_epochs, max_epochs : int or "auto"
        Epochs on the auxiliary loss alone, and then on the labels and it; at least 0.
    batch_size, epoch_passes : int or "auto"
        Sequences a step; how often an epoch reads the training data. At least 1.
    sort_batches : bool or "auto"
        Whether sequences of like length meet in one batch, which saves padding, or at random.
    lr : float or "auto"
        Learning rate, above 0.
    random_state : int, RandomState or None
        Seed of everything random; None draws a fresh one. `fit` draws none of the caller's own random numbers, but one
        of a RandomState given here.
    projection_size : int, None or "auto"
        Size to which a step is projected, at least 1; None for no projection. Of a stem, the features of a token; None
        for the hidden size.
    num_layers : int
        Layers of the main network, at least 1.
    initialisation : {"tensorflow", "torch", "forget", "chrono", "tensorflow-chrono", "log_uniform", "uniform_gate"} or
        "auto"
        TensorFlow 1's (the paper's), torch's own, with a forget bias of 1, with chrono gates (Tallec & Ollivier
        2018) over the longest training sequence, with time scales uniform in their logarithm, or with uniform gates
        (Gu et al. 2020).
    regulariser : {"dropconnect", "dropout", "none"} or "auto"
        What is dropped on the second layer of the output nets.
    dropout : float or "auto"
        The share dropped there, 0 to 0.95.
    aux_options : dict or None
        Finer options of the auxiliary losses: fields of `auxrnn.config.AuxiliaryConfig`, e.g. `{"weight": 0.5}`.
    model : str or None
        Another model by name, in place of the one that `aux` gives: "sa-lstm", "lm-lstm", "transformer", "irnn",
        "urnn" (`auxrnn.config.MODELS` lists all). Leave `aux` at its default then, or None.
    transformer : dict or None
        Sizes of a transformer: fields of `auxrnn.config.TransformerConfig`, e.g. `{"layers": 2}`.
    max_phase : float
        Of an lru: its factors begin with phases up to this, in radians a step, above 0 and at most 2 pi.
    identity_scale : float
        Of an irnn: the recurrent weights begin as the identity times this, at least 0.
    optimizer : {"rmsprop_tf", "rmsprop", "adam", "adamw", "sgd"} or "auto"
        Optimiser; "rmsprop_tf" is TensorFlow 1's RMSProp, "rmsprop" torch's.
    lr_schedule : {"constant", "step", "cosine", "one_cycle"} or "auto"
        Schedule of the learning rate over the steps of each phase.
    lr_warmup : float, None or "auto"
        Share of a phase's steps on which the learning rate rises, in 0..1.
    weight_decay : float, None or "auto"
        Decoupled decay of adamw on matrices alone, at least 0.
    augment : {"none", "turn", "noise", "scale"} or "auto"
        How training sequences are changed at random at every step.
    keep : {"best", "last"} or "auto"
        The weights that are kept: those of the best validated epoch, or the last, unless validation tells that training
        fell far back before its end: then the best.
    gradient_clip : float, None or "auto"
        Largest norm of the gradient, above 0; None for no clipping.
    patience : int or None
        Stop when the validation score has not risen for this many epochs, at least 1; None for never.
    validation_fraction : float
        Share of the training data kept for validation, stratified, 0 to 0.9; unused where `eval_set` is given.
    precision, accelerator : str
        As "32-true", "bf16-mixed" or "16-mixed"; as "auto", "cpu" or "gpu".
    lstm_backend : {"auto", "cudnn", "persistent"}
        What runs an LSTM on a GPU: torch's own code, the kernel of this package, or the faster where that was measured.
    verbose : int
        0 is silent; 1 shows the progress of training.

    Attributes
    ----------
    n_features_in_ : int
        T where X was a table (N, T), else C; 1 for texts and lists of arrays (T_i,).
    feature_names_in_ : array (T,) of str
        Only where X was a table whose columns have names.
    history_ : list of dict
        The learning curve, one row an epoch: phase, epoch, step, loss, one loss for each objective (supervised,
        reconstruct, predict), train_SCORE, validation_loss, validation_SCORE, gradient_norm, lr, seconds. A row has
        only what applies to its epoch. SCORE is accuracy, micro_f1, r2 or step_accuracy. Empty after `from_pretrained`.
    best_epoch_ : int
        The epoch of the training phase whose weights are used, from 1. 0 where no epoch was validated; then the last
        epoch's weights are used.
    floors_ : dict
        Scores of the floors, which cost a second, on the validation sequences, by name. Empty without such sequences.
        After `from_pretrained` those of the training.
    verdict_ : auxrnn.verdict.Verdict or None
        Whether the model is any good, by its validation sequences; `verdict_.lines` says it in words. None without such
        sequences, and after `from_pretrained`.
    config_ : auxrnn.config.RunConfig
        Every setting that was taken; missing after `from_pretrained`.
    tried_ : list of str
        What the data chose and which candidates were tried, a line each.
    model_ : auxrnn.use.persistence.SavedModel
        The network and its preprocessing.

    References
    ----------
    Trinh, Dai, Luong & Le (2018), Learning longer-term dependencies in RNNs with auxiliary losses, ICML, arXiv
    1803.00144: the recipe "paper" and the auxiliary losses. The recipe "modern" is ours.
    """

    accelerator: str
    verbose: int

    @with_hint
    def __init__(
        self,
        *,
        recipe: str = "modern",
        candidates: int | str = AUTO,
        budget: str | None = None,
        cell: str = "lstm",
        hidden_size: int | str = AUTO,
        aux: str | None = AUTO,
        stem: str = AUTO,
        sample_rate: int | None = None,
        stride: int | str = AUTO,
        kernel: int | str = AUTO,
        stem_norm: str = AUTO,
        residual: bool | str = AUTO,
        readout: str = AUTO,
        num_windows: int | str = AUTO,
        top_windows: int | str = AUTO,
        anchor_labels: float | str = AUTO,
        bptt: int | str = AUTO,
        gradient: str = "truncated",
        num_anchors: int | str = AUTO,
        segment_length: int | str = AUTO,
        pretrain_epochs: int | str = AUTO,
        max_epochs: int | str = AUTO,
        batch_size: int | str = AUTO,
        epoch_passes: int | str = AUTO,
        sort_batches: bool | str = AUTO,
        lr: float | str = AUTO,
        random_state: Any = 0,
        projection_size: int | str | None = AUTO,
        num_layers: int = 1,
        initialisation: str = AUTO,
        regulariser: str = AUTO,
        dropout: float | str = AUTO,
        aux_options: dict[str, Any] | None = None,
        model: str | None = None,
        transformer: dict[str, Any] | None = None,
        max_phase: float = 2 * math.pi,
        identity_scale: float = 1.0,
        optimizer: str = AUTO,
        lr_schedule: str = AUTO,
        lr_warmup: float | str | None = AUTO,
        weight_decay: float | str | None = AUTO,
        augment: str = AUTO,
        keep: str = AUTO,
        gradient_clip: float | str | None = AUTO,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        precision: str = "32-true",
        accelerator: str = "auto",
        lstm_backend: str = "auto",
        verbose: int = 0,
    ) -> None:
        given = dict(locals())
        del given["self"]
        self.__dict__.update(given)  # each under its own name, unchanged, as scikit-learn asks

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as scikit-learn has it.

        Raises
        ------
        InputError
            A ValueError: for a parameter that there is not, with the nearest right name.
        """
        names = self.get_params(deep=False)
        for name in params:
            if name not in names:
                raise InputError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. Valid parameters are: "
                    f"{', '.join(names)}.{did_you_mean(name, names)}"
                )
        return super().set_params(**params)
