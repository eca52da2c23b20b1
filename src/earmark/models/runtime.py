"""Answers from a bundle's network, by onnxruntime on one thread."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort

from earmark import features
from earmark.decision.calibration import Outputs
from earmark.errors import BundleError
from earmark.models.bundle import Bundle
from earmark.types import FloatArray, LevelArray, SliceProbs, Slices

# Bounds the memory that activations take, however many slices a track has.
BATCH = 32


class Classifier:
    """A bundle ready to answer.

    Parameters
    ----------
    bundle : Bundle
    n_threads : int
        Of onnxruntime; 1 leaves scaling to processes.

    Raises
    ------
    BundleError
        If onnxruntime refuses the network, or its inputs and outputs do not fit the recipe.
    """

    def __init__(self, bundle: Bundle, n_threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # The arena keeps the largest allocation for ever; without it a worker stays small.
        options.enable_cpu_mem_arena = False
        try:
            self._session = ort.InferenceSession(
                str(bundle.network), options, providers=["CPUExecutionProvider"]
            )
        except Exception as e:
            raise BundleError(
                f"{bundle.network} is not a network that onnxruntime can run: {e}",
                "get or train the model again",
            ) from e
        self.bundle = bundle
        self._check_interface()

    def _check_interface(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        labels = self.bundle.meta.labels
        if [i.name for i in inputs] != ["slices"] or outputs[0].shape[-1] != len(labels):
            raise BundleError(
                f"{self.bundle.network} does not take slices and give {len(labels)} logits",
                "get or train the model again",
            )
        if any(o.name == "music" and o.shape[1:] != [1] for o in outputs):
            raise BundleError(
                f"{self.bundle.network} does not say of a slice by one number whether it is music",
                "get or train the model again",
            )
        dtype = features.dtype(self.bundle.meta.listen.features)
        if inputs[0].type != f"tensor({dtype})":
            raise BundleError(
                f"{self.bundle.network} takes slices of {inputs[0].type}, but its recipe makes"
                f" tensor({dtype})",
                "get or train the model again",
            )

    @property
    def has_embedding(self) -> bool:
        """Whether `embeddings` can be had; a network that others have made may give none."""
        return "embedding" in self._output_names

    @property
    def embedding_size(self) -> int:
        """Numbers in an embedding.

        Raises
        ------
        BundleError
            If the network gives none.
        """
        if not self.has_embedding:
            raise BundleError(
                f"{self.bundle.network} has no output called embedding", "choose another model"
            )
        listen = self.bundle.meta.listen
        shape = (0, features.n_bins(listen.features), listen.slices.n_frames)
        # Of no slices, the network says the shapes of its answers.
        nothing = np.zeros(shape, features.dtype(listen.features))
        return int(self.embeddings(nothing).shape[1])

    @property
    def has_music(self) -> bool:
        """Whether the network tells music from other sounds."""
        return "music" in self._output_names

    @property
    def _output_names(self) -> list[str]:
        return [output.name for output in self._session.get_outputs()]

    def logits(self, X: LevelArray) -> FloatArray:
        """Logits float32 (n_slices, n_classes) of slices (n_slices, n_bins, n_frames).

        Raises
        ------
        ValueError
            If the slices are not of the shape and type that the bundle's recipe makes; so do all
            methods that take slices.
        """
        return self._run(["logits"], X)[0]

    def embeddings(self, X: LevelArray) -> FloatArray:
        """Embeddings float32 (n_slices, n_features) of slices as for `logits`."""
        return self._run(["embedding"], X)[0]

    def outputs(self, X: LevelArray) -> Outputs:
        """All that probabilities of slices are made from."""
        return Outputs(*self._run(["logits", "music"] if self.has_music else ["logits"], X))

    def _run(self, names: list[str], X: LevelArray) -> list[FloatArray]:
        self._check(X)
        # No slices are a batch, too: of them the network says the shapes of its answers.
        parts = [
            self._session.run(names, {"slices": X[i : i + BATCH]})
            for i in range(0, max(len(X), 1), BATCH)
        ]
        return [np.concatenate(of_one) for of_one in zip(*parts, strict=True)]

    def _check(self, X: LevelArray) -> None:
        (wanted,) = self._session.get_inputs()
        shape = wanted.shape[1:]
        # An axis of any length has a name, or none.
        fits = X.ndim == len(wanted.shape) and all(
            n == length for n, length in zip(X.shape[1:], shape, strict=True) if type(length) is int
        )
        if not fits or f"tensor({X.dtype})" != wanted.type:
            raise ValueError(
                f"slices {X.dtype} {X.shape} for a network that takes {wanted.type[7:-1]}"
                f" (n_slices, {', '.join(map(str, shape))}): `earmark.features.listen.listen` with"
                " the bundle's recipe makes such"
            )

    def proba(self, X: LevelArray) -> FloatArray:
        """Calibrated probabilities float32 (n_slices, n_classes) of slices as for `logits`.

        Rows sum to 1, or, of a network that can tell, to the probability that it is music.
        """
        return self.outputs(X).proba(self.bundle.meta.temperature)

    def slice_probs(self, slices: Slices) -> SliceProbs:
        """Calibrated probabilities of every slice of a track."""
        return SliceProbs(self.proba(slices.X), slices.start_s)
