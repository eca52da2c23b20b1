"""What another model would say of a slice, told from a backbone's embedding of it.

A perceptron with two hidden layers learns the other model's embedding, by squared error, on music
without labels; what it says is then brought down to its principal components. The features that
come out know some of what the other model knows and cost a few matrix products.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from earmark.training.recipes.settings import ImitationConfig
from earmark.types import FloatArray

# Answers so many standard deviations away are outliers, which a squared error would learn little
# else from.
_FARTHEST = 5.0
# What hardly ever changes is not blown up.
_SPREAD = 1e-3
# Nor are components with so small a share of the largest one's variance: they are but rounding.
_VARIANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Imitation:
    """The perceptron as plain matrices.

    Attributes
    ----------
    layers : tuple of (ndarray, ndarray)
        Weights (n_in, n_out) and bias (n_out,) of float32; all but the last are rectified. The
        last one's answers have mean 0 and spread 1 over the music learned from; there are fewer
        than were asked for where the other model has no more to say.
    r2 : float
        Share of the variance of the other model's standardised embedding that is explained, on
        tracks not learned from, before it is brought down to components.
    """

    layers: tuple[tuple[FloatArray, FloatArray], ...]
    r2: float

    def features(self, embeddings: FloatArray) -> FloatArray:
        """Features (n, n_components) of the backbone's embeddings (n, n_features)."""
        x = embeddings
        for weights, bias in self.layers[:-1]:
            x = np.maximum(x @ weights + bias, 0)
        weights, bias = self.layers[-1]
        return np.asarray(x @ weights + bias)


def imitate(
    embeddings: FloatArray,
    answers: FloatArray,
    held_out: NDArray[np.bool_],
    config: ImitationConfig,
    seed: int,
) -> Imitation:
    """Learn it.

    Parameters
    ----------
    embeddings : ndarray, shape (n_slices, n_features)
        Of the backbone: standardised.
    answers : ndarray, shape (n_slices, n_answers)
        The other model's embeddings of the same stretches of music.
    held_out : ndarray of bool, shape (n_slices,)
        Slices to measure by, whole tracks.
    config : ImitationConfig
    seed : int
    """
    X = torch.from_numpy(np.ascontiguousarray(embeddings[~held_out]))
    centre = answers[~held_out].mean(axis=0, dtype=np.float64)
    spread = np.maximum(answers[~held_out].std(axis=0, dtype=np.float64), _SPREAD)
    standardised = ((answers - centre) / spread).clip(-_FARTHEST, _FARTHEST).astype(np.float32)
    wanted = torch.from_numpy(standardised[~held_out])
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = _network(X.shape[1], wanted.shape[1], config)
        _learn(network, X, wanted, config)
    network.eval()
    with torch.inference_mode():
        found = network(torch.from_numpy(np.ascontiguousarray(embeddings[held_out]))).numpy()
        taught = network(X).numpy()
    theirs = standardised[held_out]
    r2 = 1 - float(((found - theirs) ** 2).mean() / theirs.var(axis=0).mean())
    weights, bias = _linear(network[-1])
    mean, components = _components(taught, config.n_components)
    last = (weights @ components, (bias - mean) @ components)
    return Imitation((*_hidden(network), (_float32(last[0]), _float32(last[1]))), r2)


def _network(n_in: int, n_out: int, config: ImitationConfig) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in (n_in, config.n_hidden):
        layers += [nn.Linear(size, config.n_hidden), nn.BatchNorm1d(config.n_hidden)]
        layers += [nn.ReLU(), nn.Dropout(config.dropout)]
    return nn.Sequential(*layers, nn.Linear(config.n_hidden, n_out))


def _learn(
    network: nn.Module, X: torch.Tensor, wanted: torch.Tensor, config: ImitationConfig
) -> None:
    optimiser = torch.optim.AdamW(network.parameters(), config.lr, weight_decay=config.weight_decay)
    n_steps = config.epochs * len(_batches(len(X), config.batch_size))
    # From the full rate down to nothing along half a cosine.
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(n_steps, 1))
    network.train()
    for _ in range(config.epochs):
        order = torch.randperm(len(X))
        for chosen in _batches(len(X), config.batch_size):
            rows = order[chosen]
            loss = nn.functional.mse_loss(network(X[rows]), wanted[rows])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()


def _batches(n: int, size: int) -> list[slice]:
    """Batches of about `size`, none of them much smaller: batch norm needs company."""
    n_batches = max(1, round(n / size))
    ends = [n * i // n_batches for i in range(n_batches + 1)]
    return [slice(begin, end) for begin, end in itertools.pairwise(ends)]


def _hidden(network: nn.Sequential) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Weights and biases of the hidden layers, with their batch norms folded in."""
    for linear, norm in itertools.pairwise(network):
        if isinstance(linear, nn.Linear) and isinstance(norm, nn.BatchNorm1d):
            weights, bias = _linear(fuse_linear_bn_eval(linear, norm))
            yield _float32(weights), _float32(bias)


def _linear(layer: nn.Module) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    assert isinstance(layer, nn.Linear)
    weights = layer.weight.detach().double().numpy().T
    return weights, layer.bias.detach().double().numpy()


def _components(answers: FloatArray, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean, and the largest principal components (n_answers, n at most), scaled to spread 1."""
    mean = answers.mean(axis=0, dtype=np.float64)
    rows = answers - mean
    values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
    largest = np.argsort(values)[::-1][:n]
    largest = largest[values[largest] >= _VARIANCE * values.max()]
    return mean, vectors[:, largest] / np.sqrt(np.maximum(values[largest], 1e-12))


def _float32(values: NDArray[np.float64]) -> FloatArray:
    return values.astype(np.float32)
