"""Embeddings for scikit-learn: paths in, numbers out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from earmark.api.model import (
    Model,
    PathLike,
    Pool,
    check_pool,
    home_of,
    load_model,
    pooled,
    text_of,
)
from earmark.audio import audio_id
from earmark.errors import ConfigError
from earmark.features.listen import listen
from earmark.models.embeddings import EmbeddingStore, embed
from earmark.types import FloatArray


class Embedder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Files to embeddings by a model, as a transformer for ``Pipeline`` and ``GridSearchCV``.

    It decodes in the process that calls: for files that you trust. What was heard once is kept in
    the home and not heard again, by no fold of a cross-validation.

    Parameters
    ----------
    model : Model, str or path-like
        An open one, a name (see `earmark.list_models`) or a folder.
    pool : {'mean', 'max'}
        How the slices of a file become one row.
    home : path-like, optional
        Earmark's data folder; by default the user's.

    Attributes
    ----------
    n_features_out_ : int
        Numbers in a row.
    model_id_ : str
        Hash of the model's recipe and network.

    Examples
    --------
    >>> import earmark
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> pipeline = make_pipeline(earmark.Embedder("ear"), LogisticRegression())
    >>> X = earmark.Embedder("ear").fit_transform(["examples/music/Beating That Thing.mp3"])
    >>> X.shape[0]
    1
    """

    def __init__(
        self, model: Model | PathLike = "ear", *, pool: Pool = "mean", home: PathLike | None = None
    ) -> None:
        self.model = model
        self.pool = pool
        self.home = home

    def fit(self, X: Iterable[PathLike], y: Any = None) -> Self:  # noqa: ARG002 - scikit-learn's
        """Open the model; nothing is learned from `X`.

        Raises
        ------
        BundleError
            The model cannot be used, or gives no embedding.
        """
        model = self._model()
        self.model_id_ = model.bundle.model_id
        self.n_features_out_ = model.embedding_size
        return self

    def transform(self, X: Iterable[PathLike]) -> FloatArray:
        """Embeddings of files.

        Parameters
        ----------
        X : iterable of path-like, length n_songs
            A list, an array or a column.

        Returns
        -------
        ndarray of float32, shape (n_songs, n_features)

        Raises
        ------
        AudioError
            A file cannot be used, and why.
        ConfigError
            `X` is no list of files, or there is no such pooling.
        """
        check_pool(self.pool)
        paths = _paths(X)
        model = self._model()
        with EmbeddingStore(home_of(self.home) / "embeddings", model.bundle) as store:
            names = [audio_id(path) for path in paths]
            found = zip(names, paths, store.locate(names), strict=True)
            new = {name: path for name, path, span in found if not len(span)}
            for name, path in new.items():
                store.add(embed(listen(path, model.bundle.meta.listen, name), model.classifier))
                store.flush()
            rows = [pooled(store.embeddings(span), self.pool) for span in store.locate(names)]
        return np.stack(rows) if rows else np.zeros((0, model.embedding_size), np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:  # noqa: ARG002
        """Names of the columns: the model's, numbered."""
        model = self._model()
        return np.array([f"{model.name}_{i}" for i in range(model.embedding_size)], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array, tags.input_tags.two_d_array = True, False
        tags.input_tags.string, tags.requires_fit = True, False
        return tags

    def _model(self) -> Model:
        return self.model if isinstance(self.model, Model) else load_model(self.model, self.home)


def _paths(X: Any) -> list[str]:
    """Of a list, an array of one column, or a table's column."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise ConfigError(f"{X!r} is one file, not a list of files", "give a list: [path]")
    shape: tuple[int, ...] = tuple(X.shape) if hasattr(X, "shape") else ()
    if len(shape) > 1 and shape[1] != 1:
        raise ConfigError(f"{shape[1]} columns, where one of files is wanted", "choose one")
    return [text_of(path) for path in (np.ravel(X) if shape else X)]
