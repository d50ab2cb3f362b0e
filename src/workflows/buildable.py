"""What may be built of a configuration that anybody may have written."""

from collections.abc import Iterator
from typing import Any

from hydra.utils import get_class
from torch import nn

__all__ = ["refused"]

BUILDERS = (
    "src.models.build_model",
    "src.models.build_torchvision",
    "src.models.build_timm",
)
"""What this project's own options name."""

PACKAGES = ("torch.nn", "torchvision.models", "timm")
"""Where a class has to be defined to be built; it has to be a ``torch.nn.Module`` as well."""


def refused(model: dict[str, Any], trust: tuple[str, ...]) -> str | None:
    """What of a network's settings must not be built, or ``None``.

    Hydra builds whatever a ``_target_`` names, at any depth, and calls functions as readily as
    classes; through the modules a package has imported, ``timm.….os.system`` is a name in timm.

    Args:
        model: the settings of ``model``.
        trust: further targets that may be built, and names that may be fetched.
    """
    for key, value in _walk(model):
        if key == "_target_":
            if value not in (*BUILDERS, *trust) and not _is_layer(str(value)):
                return str(value)
        elif key == "name" and ":" in str(value) and value not in trust:
            return str(value)  # timm fetches ``hf-hub:…`` and reads ``local-dir:…``
        elif isinstance(value, str) and "${" in value:
            return value  # resolved only when it is built, to who knows what
    return None


def _walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value at any depth."""
    pairs = node.items() if isinstance(node, dict) else [("", item) for item in node]
    for key, value in pairs:
        yield str(key), value
        if isinstance(value, (dict, list)):
            yield from _walk(value)


def _is_layer(target: str) -> bool:
    if not any(target.startswith(f"{package}.") for package in PACKAGES):
        return False
    try:
        found = get_class(target)
    except Exception:
        return False
    home = f"{found.__module__}."
    return issubclass(found, nn.Module) and any(home.startswith(f"{p}.") for p in PACKAGES)
