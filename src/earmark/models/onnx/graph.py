"""A small language for writing networks as ONNX graphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from earmark import features
from earmark.types import FeatureConfig

OPSET = 18
IR_VERSION = 10


class Graph:
    """Nodes added one after the other; values go by name."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def constant(self, values: NDArray[Any] | Sequence[int] | float) -> str:
        """A constant: arrays as they are, sequences as int64, numbers as float32."""
        if isinstance(values, np.ndarray):
            array: NDArray[Any] = values
        elif isinstance(values, Sequence):
            array = np.array(values, np.int64)
        else:
            array = np.array(values, np.float32)
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, op: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """A node with one output, which is returned; `name` names it."""
        output = name or f"n{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def scaled(self, x: str, scale: NDArray[Any] | float, shift: NDArray[Any] | float) -> str:
        """``x * scale + shift``, broadcast as in numpy."""
        product = self.add("Mul", x, self.constant(scale))
        return self.add("Add", product, self.constant(shift))

    def unquantised(self, config: FeatureConfig) -> str:
        """The input ``slices`` as the numbers that the front end computed.

        One whose range differs from bin to bin is not provided for.
        """
        floats = self.add("Cast", "slices", to=TensorProto.FLOAT)
        dtype = features.dtype(config)
        top = np.iinfo(dtype).max
        low, high = features.dequantise(np.array([0, top], dtype), config).astype(np.float64)
        return self.scaled(floats, (high - low) / top, low)

    def network(
        self, slices: tuple[np.dtype[Any], tuple[int, ...]], outputs: Mapping[str, int], doc: str
    ) -> bytes:
        """Serialise, checked.

        Parameters
        ----------
        slices : (dtype, shape)
            Type and shape of one slice: the input ``slices`` has n of them.
        outputs : mapping of str to int
            Names and numbers of columns; each has n rows.
        doc : str
            What the graph is.
        """
        dtype, shape = slices
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        graph = helper.make_graph(
            self._nodes,
            "network",
            [helper.make_tensor_value_info("slices", kind, ["n", *shape])],
            [
                helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])
                for name, size in outputs.items()
            ],
            self._constants,
            doc_string=doc,
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="earmark",
        )
        onnx.checker.check_model(model, full_check=True)
        content: bytes = model.SerializeToString()
        return content
