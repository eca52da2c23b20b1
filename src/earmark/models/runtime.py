"""Predictions by a bundle's network, by onnxruntime on one thread."""

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

_FLOATS = "tensor(float)"


class Classifier:
    """A bundle ready to predict.

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
        # Bytes rather than a path: it may be none that onnxruntime can be told, in no encoding.
        network = bundle.read_network()
        self.bundle = bundle
        try:
            self._session = ort.InferenceSession(
                network,
                options,
                providers=["CPUExecutionProvider"],
                enable_fallback=0,  # which would print what it does
            )
            self._output_names = [output.name for output in self._session.get_outputs()]
            self._check_interface()
        except BundleError:
            raise
        except Exception as e:  # names of inputs and outputs that are no text, too
            raise BundleError(
                f"{bundle.network} is not a network that onnxruntime can run: {e}",
                "get or train the model again",
            ) from e

    def _check_interface(self) -> None:
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        labels = self.bundle.meta.labels
        found = {o.name: list(o.shape) for o in outputs if o.type == _FLOATS}
        logits, embedding = found.get("logits", []), found.get("embedding", [0, 0])
        takes_slices = [(i.name, len(i.shape)) for i in inputs] == [("slices", 3)]
        if not (takes_slices and len(logits) == 2 and logits[1] == len(labels)):
            raise BundleError(
                f"{self.bundle.network} does not take slices and give {len(labels)} logits",
                "get or train the model again",
            )
        if len(embedding) != 2 or ("embedding" in self._output_names and "embedding" not in found):
            raise BundleError(
                f"{self.bundle.network} does not give a row of numbers as the embedding of a slice",
                "get or train the model again",
            )
        if "music" in self._output_names and found.get("music", [])[1:] != [1]:
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
        listen = self.bundle.meta.listen
        made = (features.n_bins(listen.features), listen.slices.n_frames)
        wanted = inputs[0].shape[1:]
        if any(type(n) is int and n != m for n, m in zip(wanted, made, strict=True)):
            raise BundleError(
                f"{self.bundle.network} takes slices of {' × '.join(map(str, wanted))}, but its"
                f" recipe makes such of {made[0]} × {made[1]}",
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
        # Given no slices, the network still gives its outputs' shapes.
        nothing = np.zeros(shape, features.dtype(listen.features))
        return int(self.embeddings(nothing).shape[1])

    @property
    def has_music(self) -> bool:
        """Whether the network tells music from other sounds."""
        return "music" in self._output_names

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
        # No slices are a batch, too, from which the outputs have their shapes.
        try:
            parts = [
                self._session.run(names, {"slices": X[i : i + BATCH]})
                for i in range(0, max(len(X), 1), BATCH)
            ]
        except Exception as e:
            raise BundleError(
                f"{self.bundle.network} cannot be computed by onnxruntime: {e}",
                "get or train the model again",
            ) from e
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
