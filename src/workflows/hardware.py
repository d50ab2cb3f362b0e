"""Which device a run trains on."""

import os

import torch

from src.config import UserError
from src.runs.record import command_line


def choose_accelerator(requested: str, devices: int) -> str:
    """``gpu`` or ``cpu``; ``auto`` takes the GPU when there is one.

    Raises:
        UserError: a GPU is asked for, or more of them than there are.
    """
    found = count_gpus()
    if requested == "cpu" or (requested == "auto" and not found):
        return "cpu"
    if not found:
        raise UserError(
            "trainer.accelerator=gpu: torch finds no GPU on this machine; on the CPU: "
            f"{command_line().replace(' trainer.accelerator=gpu', '')} trainer.accelerator=cpu"
        )
    if devices > found:
        raise UserError(f"trainer.devices={devices}: this machine has {found} GPU(s)")
    return "gpu"


def count_gpus() -> int:
    """CUDA GPUs, or the one of an Apple chip."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return int(torch.backends.mps.is_available())


def describe(accelerator: str, devices: int, precision: str) -> str:
    """One line for the log: the device and the arithmetic."""
    if accelerator == "cpu":
        where = f"CPU, {torch.get_num_threads()} threads"
    elif torch.cuda.is_available():
        where = torch.cuda.get_device_name()
    else:
        where = "Apple GPU"
    several = f", {devices} devices" if devices > 1 else ""
    return f"{where}{several}, {precision}"


def facts(accelerator: str, precision: str) -> dict[str, object]:
    """What to add to a run's record."""
    cuda = accelerator == "gpu" and torch.cuda.is_available()
    return {
        "accelerator": accelerator,
        "precision": precision,
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "usable_cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }
