"""Write a network as ONNX, torch.export or safetensors."""

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from src.console import without_logs

INPUT, OUTPUT = "images", "logits"

Metadata = Mapping[str, object]


def write(format: str, network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    """Write a network, including its normalisation, without the exporters' warnings and log lines.

    Args:
        network: in evaluation mode, on the CPU.
        example: images (N, C, H, W), float32 in 0..255; the file takes any N, but this size.
        metadata: JSON values, stored in the file.

    Raises:
        ImportError: a package of the format is not installed.
        OSError: the file cannot be written.
    """
    with without_logs(up_to=logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FORMATS[format](network, example, metadata, path)


def _onnx(network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    import onnx

    torch.onnx.export(
        network,
        (example,),
        path,
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        external_data=False,
        dynamo=True,
        verbose=False,
    )
    model = onnx.load(path)
    onnx.helper.set_model_props(model, _texts(metadata))
    onnx.save(model, path)


def _torch_export(network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    program = torch.export.export(
        network, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},)
    )
    torch.export.save(program, path, extra_files={"metadata.json": json.dumps(dict(metadata))})


def _safetensors(network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    from safetensors.torch import save_file

    # safetensors stores contiguous tensors only.
    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    save_file(weights, path, _texts(metadata))


FORMATS: dict[str, Callable[[nn.Module, Tensor, Metadata, Path], None]] = {
    "onnx": _onnx,
    "torch_export": _torch_export,
    "safetensors": _safetensors,
}


def _texts(metadata: Metadata) -> dict[str, str]:
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
