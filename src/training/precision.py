"""The arithmetic a machine is good at."""

import torch


def choose_precision(requested: str, accelerator: str) -> str:
    """The precision to train in.

    Args:
        requested: ``auto``, or one of Lightning's names, which is returned as it is.
        accelerator: ``gpu`` or ``cpu``.

    Returns:
        For ``auto``: ``bf16-mixed`` where the hardware computes in bfloat16, which is a CUDA
        GPU from Ampere on and a CPU with AMX or AVX512-BF16 instructions; else ``32-true``.

    Raises:
        ValueError: float16 on a CPU.
    """
    if requested == "16-mixed" and accelerator == "cpu":
        raise ValueError(
            "trainer.precision=16-mixed: float16 needs a GPU; on a CPU use bf16-mixed or 32-true"
        )
    if requested != "auto":
        return requested
    fast = _cuda_has_bf16() if accelerator == "gpu" else _cpu_has_bf16()
    return "bf16-mixed" if fast else "32-true"


def _cuda_has_bf16() -> bool:
    # is_bf16_supported() alone also says yes where bfloat16 is emulated.
    return torch.cuda.is_available() and torch.cuda.get_device_capability() >= (8, 0)


def _cpu_has_bf16() -> bool:
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()
