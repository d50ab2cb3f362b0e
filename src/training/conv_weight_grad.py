"""Weight gradients of convolutions as matrix products, where oneDNN is slow in bfloat16."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

# Where the matrix product was measured to be faster: output pixels, input channels.
LARGEST_MAP = 16
FEWEST_CHANNELS = 256


def use_matmul_weight_grad(module: nn.Module) -> None:
    """Make the 3x3 convolutions of many channels :class:`MatmulWeightGradConv2d`."""
    for layer in module.modules():
        # Not isinstance: a subclass may compute something else.
        if type(layer) is not nn.Conv2d:
            continue
        shape = (layer.kernel_size, layer.padding, layer.dilation, layer.groups, layer.padding_mode)
        if shape == ((3, 3), (1, 1), (1, 1), 1, "zeros") and layer.in_channels >= FEWEST_CHANNELS:
            layer.__class__ = MatmulWeightGradConv2d


class MatmulWeightGradConv2d(nn.Conv2d):
    """A 3x3 convolution whose weight gradient is one matrix product on small feature maps.

    All but bfloat16 on a CPU with at most 16 output pixels is a plain ``Conv2d``. Output and input
    gradient are equal bit for bit, the weight gradient but for the order of its sums. For 512
    channels of 4x4 pixels, batch 128 and AVX512-BF16 it takes 14 ms instead of 22, for a stride of
    2 to that size 8 instead of 19.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self._uses_matmul(input):
            return super().forward(input)
        # Autocast does not cast the inputs of a custom autograd.Function.
        images, weight = input.to(torch.bfloat16), self.weight.to(torch.bfloat16)
        bias = None if self.bias is None else self.bias.to(torch.bfloat16)
        output: Tensor = _Convolution.apply(images, weight, bias, self.stride)
        return output

    def _uses_matmul(self, images: Tensor) -> bool:
        if not (torch.is_grad_enabled() and self.weight.requires_grad):
            return False
        autocast = torch.is_autocast_enabled("cpu")
        dtype = torch.get_autocast_dtype("cpu") if autocast else images.dtype
        if images.device.type != "cpu" or images.ndim != 4 or dtype != torch.bfloat16:
            return False
        if images.dtype not in (torch.bfloat16, torch.float32):
            return False  # nn.Conv2d raises its own error
        # With a padding of 1 the map is the input's size over the stride, rounded up.
        (height, width), (down, right) = images.shape[2:], self.stride
        return -(-height // down) * -(-width // right) <= LARGEST_MAP


class _Convolution(torch.autograd.Function):
    """conv2d of kernel 3x3 and padding 1."""

    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, bias: Tensor | None, stride: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride = stride
        return F.conv2d(images, weight, bias, stride, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        images, weight = ctx.saved_tensors
        (gradient,) = gradients
        needs_images, needs_weight, needs_bias, _ = ctx.needs_input_grad
        images_gradient, _, bias_gradient = torch.ops.aten.convolution_backward(
            gradient,
            images,
            weight,
            [len(weight)],
            stride=ctx.stride,
            padding=[1, 1],
            dilation=[1, 1],
            transposed=False,
            output_padding=[0, 0],
            groups=1,
            output_mask=[needs_images, False, needs_bias],
        )
        weight_gradient = _weight_gradient(gradient, images, ctx.stride) if needs_weight else None
        return images_gradient, weight_gradient, bias_gradient, None


def _weight_gradient(gradient: Tensor, images: Tensor, stride: tuple[int, int]) -> Tensor:
    """Weight gradient (O, I, 3, 3), channels-last, by the output's (N, O, h, w)."""
    (samples, channels, *size), (_, outputs, height, width) = images.shape, gradient.shape
    padded = images.new_zeros(samples, size[0] + 2, size[1] + 2, channels)
    padded[:, 1:-1, 1:-1] = images.permute(0, 2, 3, 1)
    sample, row, pixel, _ = padded.stride()
    windows = padded.as_strided(
        (samples, height, width, 3, 3, channels),
        (sample, row * stride[0], pixel * stride[1], row, pixel, 1),
    )
    # The input patch of each output pixel (im2col).
    columns = windows.reshape(samples * height * width, 9 * channels)
    rows = gradient.permute(0, 2, 3, 1).reshape(samples * height * width, outputs)
    return (rows.t() @ columns).view(outputs, 3, 3, -1).permute(0, 3, 1, 2)
