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
ANY_BATCH = ({0: torch.export.Dim("batch")},)
"""Dynamic shapes of the input: any number of images."""

Metadata = Mapping[str, object]


def write(format: str, network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    """Write a network in evaluation mode on the CPU, without the exporters' warnings and logs.

    ``example`` are images (N, C, H, W), float32 in 0..255; ONNX and torch.export
    then take any N, but only this C, H and W.
    ``metadata`` are JSON values, stored in the file. Raises ImportError where a package of the
    format is not installed.
    """
    with without_logs(up_to=logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        FORMATS[format](network, example, metadata, path)


def _onnx(network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    program = torch.onnx.export(
        network,
        (example,),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=ANY_BATCH,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    program.model.metadata_props.update(_texts(metadata))
    program.save(path, external_data=False)


def _torch_export(network: nn.Module, example: Tensor, metadata: Metadata, path: Path) -> None:
    program = torch.export.export(network, (example,), dynamic_shapes=ANY_BATCH)
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
