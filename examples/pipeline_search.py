"""The estimator in a scikit-learn pipeline, its settings chosen by GridSearchCV on folds of the training data."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from auxrnn import LongSequenceClassifier

images, labels = load_digits(n_class=2, return_X_y=True)  # 64 grey levels a digit: 64 steps of one channel
train, test, train_labels, test_labels = train_test_split(images, labels, random_state=0, stratify=labels)

classifier = LongSequenceClassifier(
    hidden_size=8,
    projection_size=None,
    bptt=16,
    segment_length=16,
    pretrain_epochs=0,
    max_epochs=2,
    epoch_passes=4,
    batch_size=32,
    lr=0.01,
    accelerator="cpu",
)
pipeline = make_pipeline(FunctionTransformer(np.sqrt), classifier)
search = GridSearchCV(pipeline, {"longsequenceclassifier__aux": ["reconstruct", "predict"]}, cv=2)
search.fit(train[:80], train_labels[:80])

print(f"best: {search.best_params_}, {search.best_score_:.3f} on the folds")
print(f"test accuracy {search.score(test, test_labels):.3f}")
