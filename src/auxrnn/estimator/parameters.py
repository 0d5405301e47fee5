"""The parameters that all estimators have, and what they are."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator

from auxrnn.errors import InputError, did_you_mean
from auxrnn.estimator.settings import with_hint


class SequenceParameters(BaseEstimator):
    """A recurrent network on sequences that are too long to back-propagate through.

    Truncated back-propagation with auxiliary losses at random anchors (Trinh, Dai, Luong and Le, ICML 2018); memory
    does not grow with the length.

    What `X` may be:

    - an array (N, T, C): N sequences of T steps of C channels;
    - an array (N, T), a table or nested lists of one length: T steps of one channel. As for scikit-learn's other
      estimators each column is a feature then, so a table to predict from needs the same columns as the table of
      training. Sequences of other lengths go in as (N, T, 1) or as a list;
    - a list of arrays (T_i, C) or (T_i,) of any lengths;
    - a list of texts of any lengths, read by characters. Those unknown from training are all one.

    Arrays of uint8 are pixels (levels 0 to 255); other numbers are values, standardised by channel as the training
    split was.

    Parameters
    ----------
    cell : {"lstm", "gru", "rnn"}
        Recurrent cell of the main network and the decoders.
    hidden_size : int
        Cells of the main network.
    aux : {"reconstruct", "predict", "both", None}
        Auxiliary loss: r-LSTM, p-LSTM, both together, or none.
    bptt : int or "full"
        Truncation of the losses in steps; "full" is full back-propagation, 0 trains the classifier only.
    num_anchors, segment_length : int
        Random anchors a sequence and step, and steps reconstructed or predicted at each.
    pretrain_epochs, max_epochs : int
        Epochs on the auxiliary loss alone, and then on the labels and it.
    batch_size : int
        Sequences a step.
    lr : float
        Learning rate.
    random_state : int, RandomState or None
        Seed of everything random; None draws a fresh one. The caller's own random numbers are never used nor changed,
        but one of a RandomState given here.
    projection_size : int or None
        Size to which a step is projected.
    num_layers : int
        Layers of the main network.
    initialisation : {"torch", "forget", "chrono"}
        torch's own, a forget bias of 1, or chrono (Tallec & Ollivier 2018) over the longest training sequence.
    regulariser : {"dropconnect", "dropout", "none"}
        What is dropped on the second layer of the output nets.
    dropout : float
        The share dropped there.
    aux_options : dict or None
        Finer options of the auxiliary losses: fields of `auxrnn.config.AuxiliaryConfig`, e.g. `{"weight": 0.5}`.
    model : str or None
        Another model by name, in place of the one that `aux` gives: "sa-lstm", "lm-lstm", "transformer", "irnn",
        "urnn"; `auxrnn.config.MODELS` has all. `aux` must be at its default then, or None.
    transformer : dict or None
        Sizes of a transformer: fields of `auxrnn.config.TransformerConfig`, e.g. `{"layers": 2}`.
    identity_scale : float
        Of an irnn: the recurrent weights begin as so many times the identity.
    optimizer : {"rmsprop", "adam", "adamw", "sgd"}
        By name.
    lr_schedule : {"constant", "step", "cosine"}
        Over the steps of each phase.
    gradient_clip : float or None
        Largest norm of the gradient.
    patience : int or None
        Stop when the validation score has not risen for so many epochs.
    validation_fraction : float
        Share of the training data kept for choosing the best epoch, stratified; unused where `eval_set` is given. At 0,
        or where the data are too few for it, the last epoch is used.
    precision, accelerator : str
        Lightning's names, e.g. "bf16-mixed"; "auto", "cpu" or "gpu".
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
        reconstruct, predict), train_SCORE, validation_loss, validation_SCORE, gradient_norm, lr, seconds. What
        does not apply to an epoch is left out. SCORE is accuracy, micro_f1, r2 or step_accuracy. Empty after
        `from_pretrained`.
    best_epoch_ : int
        The epoch of the training phase whose weights are used, from 1; 0 where none was validated: then the last is.
    floors_ : dict
        Scores on the validation sequences of what costs a second, by name; empty where there were none. After
        `from_pretrained` those of the training.
    verdict_ : auxrnn.verdict.Verdict or None
        Whether the model is any good, by its validation sequences; `verdict_.lines` says it in words. None where there
        were none, and after `from_pretrained`.
    model_ : auxrnn.persistence.SavedModel
        The network and what its input goes through.
    """

    @with_hint
    def __init__(
        self,
        *,
        cell: str = "lstm",
        hidden_size: int = 128,
        aux: str | None = "reconstruct",
        bptt: int | str = 300,
        num_anchors: int = 1,
        segment_length: int = 600,
        pretrain_epochs: int = 5,
        max_epochs: int = 20,
        batch_size: int = 128,
        lr: float = 1e-3,
        random_state: Any = 0,
        projection_size: int | None = 128,
        num_layers: int = 1,
        initialisation: str = "torch",
        regulariser: str = "dropconnect",
        dropout: float = 0.5,
        aux_options: dict[str, Any] | None = None,
        model: str | None = None,
        transformer: dict[str, Any] | None = None,
        identity_scale: float = 1.0,
        optimizer: str = "rmsprop",
        lr_schedule: str = "constant",
        gradient_clip: float | None = 1.0,
        patience: int | None = None,
        validation_fraction: float = 0.1,
        precision: str = "32-true",
        accelerator: str = "auto",
        lstm_backend: str = "auto",
        verbose: int = 0,
    ) -> None:
        self.cell = cell
        self.hidden_size = hidden_size
        self.aux = aux
        self.bptt = bptt
        self.num_anchors = num_anchors
        self.segment_length = segment_length
        self.pretrain_epochs = pretrain_epochs
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.random_state = random_state
        self.projection_size = projection_size
        self.num_layers = num_layers
        self.initialisation = initialisation
        self.regulariser = regulariser
        self.dropout = dropout
        self.aux_options = aux_options
        self.model = model
        self.transformer = transformer
        self.identity_scale = identity_scale
        self.optimizer = optimizer
        self.lr_schedule = lr_schedule
        self.gradient_clip = gradient_clip
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.precision = precision
        self.accelerator = accelerator
        self.lstm_backend = lstm_backend
        self.verbose = verbose

    def set_params(self, **params: Any) -> Self:
        """As scikit-learn has it; InputError (a ValueError) for a parameter that there is not, with the nearest."""
        names = self.get_params(deep=False)
        for name in params:
            if name not in names:
                raise InputError(
                    f"Invalid parameter {name!r} for estimator {type(self).__name__}. Valid parameters are: "
                    f"{', '.join(names)}.{did_you_mean(name, names)}"
                )
        return super().set_params(**params)
