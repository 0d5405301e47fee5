"""Training and prediction with scikit-learn's conventions: arrays in, labels, values or tags out."""

from auxrnn.estimator.base import LongSequenceEstimator as LongSequenceEstimator
from auxrnn.estimator.classifier import LongSequenceClassifier as LongSequenceClassifier
from auxrnn.estimator.regressor import LongSequenceRegressor as LongSequenceRegressor
from auxrnn.estimator.stream import SequenceStream as SequenceStream
from auxrnn.estimator.tagger import LongSequenceTagger as LongSequenceTagger
