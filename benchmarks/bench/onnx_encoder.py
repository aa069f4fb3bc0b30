"""The encoder as an ONNX model, to compare with; the program itself does not use it."""

from collections.abc import Sequence

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from models.encoder import IMAGE_SIZE
from models.inception import inception
from models.inference import CENTRE, Weights

_OPSET = 17


class OnnxEncoder:
    """A session in float32 on the processor, which gives float16."""

    def __init__(self, weights: Weights) -> None:
        nodes = _Nodes(weights)
        floats = nodes.add("Cast", ["pixels"], 3, to=TensorProto.FLOAT)
        centred = nodes.add("Sub", [floats, nodes.constant(np.float32(CENTRE))], 3)
        grid = inception(nodes.add("Transpose", [centred], 3, perm=[0, 3, 1, 2]), nodes)
        last = nodes.add("Transpose", [grid], 2048, perm=[0, 2, 3, 1])
        features = nodes.add("Cast", [last], 2048, to=TensorProto.FLOAT16)
        model = nodes.as_model(features)
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )

    def predict_on_batch(self, pixels: np.ndarray) -> np.ndarray:
        """Encode uint8 (photos, 299, 299, 3) into float16 (photos, 8, 8, 2048)."""
        return np.asarray(self._session.run(None, {"pixels": pixels})[0])


class _Nodes:
    """Operations by name, on grids (photos, channels, height, width)."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.channels: dict[str, int] = {}

    def add(self, kind: str, inputs: Sequence[str], channels: int, **settings: object) -> str:
        name = f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **settings))
        self.channels[name] = channels
        return name

    def constant(self, array: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def as_model(self, output: str) -> onnx.ModelProto:
        photos = ["photos", IMAGE_SIZE, IMAGE_SIZE, 3]
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, photos)
        features = helper.make_tensor_value_info(output, TensorProto.FLOAT16, None)
        graph = helper.make_graph(self.nodes, "encoder", [pixels], [features], self.constants)
        versions = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=versions, ir_version=9)

    def convolve(
        self, grid: str, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> str:
        return self.add("Relu", [self._linear(grid, filters, size, strides, padding)], filters)

    def _linear(
        self, grid: str, filters: int, size: tuple[int, int], strides: int, padding: str
    ) -> str:
        kernel, bias = self.weights.next(*size, self.channels[grid], filters)
        arrays = [np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias]
        settings = {"kernel_shape": size, "strides": [strides, strides]}
        auto_pad = {"same": "SAME_UPPER", "valid": "VALID"}[padding]
        inputs = [grid, *map(self.constant, arrays)]
        return self.add("Conv", inputs, filters, auto_pad=auto_pad, **settings)

    def max_pool(self, grid: str) -> str:
        return self.add("MaxPool", [grid], self.channels[grid], kernel_shape=[3, 3], strides=[2, 2])

    def mean_and_convolve(self, grid: str, filters: int) -> str:
        mixed = self._linear(grid, filters, (1, 1), 1, "same")
        pads = [1, 1, 1, 1]  # left out of the mean, by default
        mean = self.add("AveragePool", [mixed], filters, kernel_shape=[3, 3], pads=pads)
        return self.add("Relu", [mean], filters)

    def join(self, branches: Sequence[str], name: str) -> str:  # noqa: ARG002
        channels = sum(self.channels[branch] for branch in branches)
        return self.add("Concat", branches, channels, axis=1)
