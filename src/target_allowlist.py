"""Allowlist of the ``_target_`` classes that a run's configuration may build."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from src.config.overrides import hydra_quoted
from src.errors import UserError

BUILDERS = (
    "src.models.build_model",
    "src.models.build_torchvision",
    "src.models.build_timm",
)
"""What this project's own options name."""

PACKAGES = ("torch.nn", "torchvision.models", "timm", "torch.optim")
"""Where a class has to be defined to be built; it has to be a module or an optimizer as well."""


def check_targets(path: Path, settings: Any, trust: tuple[str, ...]) -> None:
    """Refuse settings of a network or an optimizer that would build who knows what.

    Args:
        path: the file they are from.
        settings: a dictionary with a ``_target_``; anything else is of this project.
        trust: see :func:`find_untrusted_target`.

    Raises:
        UserError: names the file, what it asks for, and how to allow it.
    """
    found = find_untrusted_target(settings, trust) if isinstance(settings, dict) else None
    if found is not None:
        raise UserError(
            f"{path}: {found} is not on the list of classes that a run's configuration may build; "
            f"to build it all the same add trust=[{found}]"
        )


def trust_overrides(*groups: Any) -> list[str]:
    """What to add to ``resume=`` so that the classes of one's own are built; mostly nothing.

    Args:
        groups: the settings of ``model`` and ``optimizer``.
    """
    asked = [
        str(value)
        for group in groups
        if isinstance(group, dict)
        for key, value in _walk(group)
        if (key == "_target_" and value not in BUILDERS and not _is_of_packages(str(value)))
        or (key == "name" and ":" in str(value))
    ]
    names = [name if re.fullmatch(r"[\w.]+", name) else hydra_quoted(name) for name in asked]
    return [f"trust=[{','.join(names)}]"] if names else []


def find_untrusted_target(model: dict[str, Any], trust: tuple[str, ...]) -> str | None:
    """What of a network's settings must not be built, or ``None``.

    Hydra builds whatever a ``_target_`` names, at any depth, and calls functions as readily as
    classes; through the modules a package has imported, ``timm.….os.system`` is a name in timm.

    Args:
        model: the settings of ``model`` or ``optimizer``.
        trust: further targets that may be built, and names that may be fetched.
    """
    for key, value in _walk(model):
        if key == "_target_":
            if value not in (*BUILDERS, *trust) and not _is_known_class(str(value)):
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


def _is_of_packages(target: str) -> bool:
    return any(target.startswith(f"{package}.") for package in PACKAGES)


def _is_known_class(target: str) -> bool:
    # Most runs name nothing that would have to be looked at: they need not wait for torch.
    from hydra.utils import get_class
    from torch.nn import Module
    from torch.optim import Optimizer

    if not _is_of_packages(target):
        return False
    try:
        found = get_class(target)
    except Exception:
        return False
    return issubclass(found, (Module, Optimizer)) and _is_of_packages(f"{found.__module__}.")
