"""scikit-learn's classifiers on summary statistics, each searched for its best settings.

A search deals artists into folds, fits every setting of the estimator's grid on all folds but one,
and scores what the fits say together of the artists that each of them had left out. Statistics are
standardised by what each fit learns from. Genres are weighted to count alike where the estimator
can do so.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import ParameterGrid
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from earmark.types import FloatArray

LOWEST = 1e-4
"""Probabilities below are taken for this: no vote of a few trees or neighbours knows them."""


@dataclass(frozen=True, slots=True)
class Estimator:
    """`make` gives a fresh one for a seed; `grid` the values of its parameters that are tried."""

    make: Callable[[int], Any]
    grid: Mapping[str, Sequence[Any]]

    def settings(self, n: int) -> list[dict[str, Any]]:
        """Every combination of the grid's values that can learn from `n` excerpts."""
        combined = ParameterGrid(dict(self.grid))
        return [params for params in combined if params.get("n_neighbors", 1) <= n]


# From simple to complex: of settings that do equally well, the first is taken.
# Trees are kept small enough for a model of some megabytes: a leaf holds a number for each genre.
ESTIMATORS: dict[str, Estimator] = {
    "dummy": Estimator(lambda _: DummyClassifier(strategy="prior"), {}),
    "k-nn": Estimator(lambda _: KNeighborsClassifier(), {"n_neighbors": [25, 15, 9, 5, 3, 1]}),
    "logistic": Estimator(
        lambda _: LogisticRegression(class_weight="balanced", max_iter=2000),
        {"C": [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0]},
    ),
    "svm": Estimator(
        lambda _: SVC(kernel="rbf", class_weight="balanced", cache_size=100),
        {"C": [1.0, 3.0, 10.0], "gamma": [0.003, 0.01, 0.03]},
    ),
    "forest": Estimator(
        lambda seed: RandomForestClassifier(
            200, class_weight="balanced", max_leaf_nodes=256, random_state=seed
        ),
        {"max_features": ["sqrt", 0.3], "min_samples_leaf": [8, 3, 1]},
    ),
    "boosting": Estimator(
        lambda seed: GradientBoostingClassifier(
            n_estimators=100, subsample=0.5, max_features="sqrt", random_state=seed
        ),
        {"learning_rate": [0.05, 0.1], "max_depth": [2, 4]},
    ),
    "bayes": Estimator(lambda _: GaussianNB(), {"var_smoothing": [1.0, 1e-1, 1e-2, 1e-3, 1e-9]}),
    "mlp": Estimator(
        lambda seed: MLPClassifier(max_iter=200, random_state=seed),
        {"hidden_layer_sizes": [(32,), (128,)], "alpha": [3.0, 0.3, 0.01]},
    ),
}


@dataclass(frozen=True, slots=True)
class Found:
    """The best setting of one estimator.

    Attributes
    ----------
    name : str
        Of `ESTIMATORS`.
    params : dict
    accuracy, macro_f1 : float
        Of excerpts by artists left out.
    seconds : float
        That the search took.
    """

    name: str
    params: dict[str, Any]
    accuracy: float
    macro_f1: float
    seconds: float


def search(
    name: str,
    X: FloatArray,
    reference: NDArray[np.int64],
    fold: NDArray[np.int64],
    seed: int = 0,
) -> Generator[dict[str, Any], None, Found]:
    """Find the setting of an estimator with the highest macro-F1; the first one of several.

    Parameters
    ----------
    name : str
        Of `ESTIMATORS`.
    X : ndarray of float32, shape (n, n_statistics)
    reference : ndarray of int, shape (n,)
    fold : ndarray of int, shape (n,)
        As `earmark.models.classical.folds.folds` deals them: -1 is in every training.
    seed : int
        Of the estimator.

    Yields
    ------
    dict
        Each setting, when it has been tried.
    """
    started = time.monotonic()
    dealt = fold >= 0
    best: Found | None = None
    fewest = len(fold) - int(np.bincount(fold[dealt]).max())
    for params in ESTIMATORS[name].settings(fewest):
        estimated = np.empty_like(reference)
        for i in range(fold.max() + 1):
            pipeline = make_pipeline(StandardScaler(), _fresh(name, params, seed))
            fitted = _fit(pipeline, X[fold != i], reference[fold != i])
            estimated[fold == i] = log_proba(fitted, X[fold == i]).argmax(axis=1)
        right = estimated[dealt] == reference[dealt]
        f1 = f1_score(reference[dealt], estimated[dealt], average="macro", zero_division=0.0)
        if best is None or f1 > best.macro_f1:
            best = Found(name, params, float(right.mean()), float(f1), 0.0)
        yield params
    assert best is not None
    seconds = time.monotonic() - started
    return Found(best.name, best.params, best.accuracy, best.macro_f1, seconds)


def fit(found: Found, X: FloatArray, reference: NDArray[np.int64], seed: int = 0) -> Any:
    """The estimator with the setting that was found, learned from all of standardised `X`."""
    return _fit(_fresh(found.name, found.params, seed), X, reference)


def log_proba(fitted: Any, X: FloatArray) -> FloatArray:
    """Logarithms (n, n_classes) of what a fitted estimator takes for probabilities.

    A support vector machine has none: the softmax of its decision values stands for them, which
    the temperature of a bundle then makes as sure as they deserve.
    """
    if hasattr(fitted, "predict_proba"):
        logs = np.log(np.maximum(fitted.predict_proba(X), LOWEST))
    else:
        scores = fitted.decision_function(X)
        if scores.ndim == 1:  # one value for two genres
            scores = np.stack([-scores, scores], axis=1)
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return np.asarray(logs, dtype=np.float32)


def _fresh(name: str, params: Mapping[str, Any], seed: int) -> Any:
    return ESTIMATORS[name].make(seed).set_params(**params)


def _fit(estimator: Any, X: FloatArray, reference: NDArray[np.int64]) -> Any:
    # Matrices this small gain nothing from a second thread, and on a busy machine wait for it.
    with warnings.catch_warnings(), threadpool_limits(1):
        # A perceptron that could learn on is as good as any other: the search has its score.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return estimator.fit(X, reference)
