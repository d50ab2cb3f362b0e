"""Device, precision, threads and memory allocation of a run."""

import ctypes
import sys
from dataclasses import dataclass

import torch

from src.config.schema import TrainConfig, TrainerConfig
from src.distributed.ranks import this_rank, threads_of_a_rank, usable_cores
from src.errors import UserError
from src.runs.record import command_line

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory instead of returning it to the kernel; return if it does.

    A step on the CPU frees its activations. By default glibc returns blocks above 32 MiB at once,
    and the end of the heap whenever it is free (mallopt(3)); in the next step the kernel has to
    find and clear every page again. The process stays as large as its largest step.
    """
    linux = sys.platform.startswith("linux")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if linux else None
    if mallopt is None:  # musl, and other systems
        return False
    # Up to 1 GiB; a threshold of -1 turns trimming off.
    return bool(mallopt(_M_MMAP_THRESHOLD, 1 << 30) and mallopt(_M_TRIM_THRESHOLD, -1))


def choose_precision(requested: str, accelerator: str, group: str = "trainer.") -> str:
    """Precision by Lightning's name; ``auto`` is ``bf16-mixed`` where the hardware computes in it.

    CUDA GPUs from Ampere on do, and CPUs with AMX or AVX512-BF16.
    """
    if requested == "16-mixed" and accelerator == "cpu":
        raise UserError(
            f"{group}precision=16-mixed: float16 needs a GPU; on a CPU use bf16-mixed or 32-true"
        )
    if requested != "auto":
        return requested
    if accelerator == "gpu":
        # is_bf16_supported() alone also says yes where bfloat16 is emulated.
        fast = torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)
    else:
        fast = torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
    return "bf16-mixed" if fast else "32-true"


# Dtype of autocast by Lightning's name of the precision.
LOWER = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}


@dataclass(frozen=True)
class Compute:
    """Device and precision of a run."""

    accelerator: str  # cpu or gpu
    precision: str  # one of Lightning's names

    @property
    def mixed_on_cpu(self) -> bool:
        return self.accelerator == "cpu" and self.precision == "bf16-mixed"


def prepare(config: TrainConfig, *, memory_is_kept: bool = True) -> Compute:
    """Choose accelerator and precision, and set threads and memory allocation of this process."""
    accelerator = choose_accelerator(config.trainer.accelerator, config.trainer.devices)
    if accelerator == "cpu" and config.trainer.sync_batchnorm:
        raise UserError("trainer.sync_batchnorm=true: torch has it for GPUs alone")
    precision = choose_precision(config.trainer.precision, accelerator)
    threads = config.trainer.num_threads or threads_of_a_rank(this_rank())
    if threads:
        torch.set_num_threads(threads)
    if accelerator == "cpu" and memory_is_kept:
        keep_freed_memory()
    return Compute(accelerator, precision)


def choose_accelerator(requested: str, devices: int, group: str = "trainer.") -> str:
    """``gpu`` or ``cpu``; ``group`` is the prefix of the settings' names in an error."""
    found = count_gpus()
    if requested == "cpu" or (requested == "auto" and not found):
        return "cpu"
    if not found:
        raise UserError(
            f"{group}accelerator=gpu: torch finds no GPU on this machine; on the CPU: "
            f"{command_line().replace(f' {group}accelerator=gpu', '')} {group}accelerator=cpu"
        )
    if devices > found:
        raise UserError(f"trainer.devices={devices}: this machine has {found} GPU(s)")
    return "gpu"


def choose_device_and_dtype(
    accelerator: str, precision: str, trained_in: str
) -> tuple[torch.device, torch.dtype | None]:
    """Device and autocast dtype of inference; ``run`` takes the precision of the training."""
    chosen = choose_accelerator(accelerator, 1, group="")
    requested = trained_in if precision == "run" else precision
    return device_of(chosen), LOWER.get(choose_precision(requested, chosen, group=""))


def device_of(accelerator: str) -> torch.device:
    """The torch device of ``cpu`` or ``gpu``."""
    gpu = "cuda" if torch.cuda.is_available() else "mps"
    return torch.device(gpu if accelerator == "gpu" else "cpu")


def count_gpus() -> int:
    """Number of CUDA GPUs, or 1 on a Mac with a GPU that torch supports."""
    if torch.cuda.is_available():
        return torch.cuda.device_count()
    return int(torch.backends.mps.is_available())


def describe(compute: Compute, settings: TrainerConfig) -> str:
    """Device and precision in one line for the log."""
    where, what = f"CPU, {torch.get_num_threads()} threads", "processes"
    if compute.accelerator == "gpu":
        where = torch.cuda.get_device_name() if torch.cuda.is_available() else "Apple GPU"
        what = "devices"
    several = f" each, {settings.devices} {what}" if settings.devices > 1 else ""
    if settings.num_nodes > 1:
        several += f" on each of {settings.num_nodes} machines"
    return f"{where}{several}, {compute.precision}"


def facts(compute: Compute) -> dict[str, object]:
    """Hardware fields of a run's record."""
    cuda = compute.accelerator == "gpu" and torch.cuda.is_available()
    return {
        "accelerator": compute.accelerator,
        "precision": compute.precision,
        "gpu": torch.cuda.get_device_name() if cuda else None,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "usable_cores": usable_cores(),
    }
