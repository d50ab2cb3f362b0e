"""Load an exported file in the programs it is meant for: differences and speed."""

import copy
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from src.export.formats import INPUT

Images = NDArray[np.float32]
Engine = Callable[[Images], NDArray[np.float32]]
"""Images (N, C, H, W), float32 in 0..255, to logits (N, classes)."""


def torch_engine(network: nn.Module) -> Engine:
    """The network itself."""

    @torch.inference_mode()
    def run(images: Images) -> NDArray[np.float32]:
        return np.asarray(network(torch.from_numpy(images)).numpy())

    return run


def _onnx_runtime(path: Path, network: nn.Module) -> Engine:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {INPUT: images})[0]


def _opencv(path: Path, network: nn.Module) -> Engine:
    import cv2

    loaded = cv2.dnn.readNetFromONNX(str(path))

    def run(images: Images) -> NDArray[np.float32]:
        loaded.setInput(images)
        return np.asarray(loaded.forward())

    return run


def _torch_export(path: Path, network: nn.Module) -> Engine:
    return torch_engine(torch.export.load(path).module())


def _safetensors(path: Path, network: nn.Module) -> Engine:
    from safetensors.torch import load_file

    again = copy.deepcopy(network)
    for parameter in again.parameters():
        nn.init.zeros_(parameter)
    again.load_state_dict(load_file(path))
    return torch_engine(again)


OPENCV = "cv2.dnn"
"""Does not know all of ONNX: what it makes of a right file may be wrong."""

ENGINES: dict[str, dict[str, Callable[[Path, nn.Module], Engine]]] = {
    "onnx": {"ONNX Runtime": _onnx_runtime, OPENCV: _opencv},
    "torch_export": {"torch.export": _torch_export},
    "safetensors": {"safetensors": _safetensors},
}
"""For each format: what loads it, given the file and the network it was made of."""


TOLERANCE = 1e-4
"""Of the largest logit, in float32."""

BATCHES = (1, 2, 7)
REPEATS = 7


def largest_difference(engine: Engine, network: Engine, images: Images) -> float:
    """The largest difference of logits over the largest logit, for batches of several sizes.

    Args:
        engine: what loaded the file.
        network: what it was made of.
        images: at least 7 of them, (N, C, H, W).
    """
    worst = 0.0
    for size in BATCHES:
        expected, found = network(images[:size]), engine(images[:size])
        if found.shape != expected.shape or not np.isfinite(found).all():
            return float("inf")
        scale = np.abs(expected).max()
        worst = max(worst, float(np.abs(found - expected).max() / scale))
    return worst


def milliseconds_per_image(engine: Engine, images: Images) -> float:
    """The median over a few runs, after one that is not counted."""
    engine(images)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        engine(images)
        seconds.append(time.perf_counter() - start)
    return 1e3 * median(seconds) / len(images)
