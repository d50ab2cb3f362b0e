"""Verify an exported file in the programs that load it: difference of logits, speed."""

import copy
import timeit
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from src.export.formats import INPUT

Images = NDArray[np.float32]
Engine = Callable[[Images], NDArray[np.float32]]
"""Images (N, C, H, W), float32 in 0..255, to logits (N, classes)."""


def torch_engine(network: nn.Module) -> Engine:
    """Engine of a torch network."""

    @torch.inference_mode()
    def run(images: Images) -> NDArray[np.float32]:
        return np.asarray(network(torch.from_numpy(images)))

    return run


def _onnx_runtime(path: Path, network: nn.Module) -> Engine:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda images: session.run(None, {INPUT: images})[0]


def _opencv(path: Path, network: nn.Module) -> Engine:
    loaded = cv2.dnn.readNetFromONNX(str(path))

    def run(images: Images) -> NDArray[np.float32]:
        loaded.setInput(images)
        return np.asarray(loaded.forward())

    return run


def _torch_export(path: Path, network: nn.Module) -> Engine:
    return torch_engine(torch.export.load(path).module())


def _safetensors(path: Path, network: nn.Module) -> Engine:
    from safetensors.torch import load_file

    copied = copy.deepcopy(network)
    copied.load_state_dict(load_file(path))
    return torch_engine(copied)


OpenCVError = cv2.error

OPENCV = "cv2.dnn"
"""Supports only parts of ONNX: it may compute wrong logits from a correct file."""

ENGINES: dict[str, dict[str, Callable[[Path, nn.Module], Engine]]] = {
    "onnx": {"ONNX Runtime": _onnx_runtime, OPENCV: _opencv},
    "torch_export": {"torch.export": _torch_export},
    "safetensors": {"safetensors": _safetensors},
}
"""By format and program: loads a file, given the network that was exported."""

TOLERANCE = 1e-4  # of the largest logit, in float32

BATCHES = (1, 2, 7)
REPEATS = 7


def largest_difference(engine: Engine, network: Engine, images: Images) -> float:
    """Largest difference of logits relative to the largest logit, over several batch sizes.

    ``images`` are at least 7, (N, C, H, W).
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
    """Median time per image over several runs, after a warm-up run."""
    engine(images)
    seconds = timeit.repeat(lambda: engine(images), number=1, repeat=REPEATS)
    return 1e3 * median(seconds) / len(images)
