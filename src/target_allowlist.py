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
"""Targets that the files in ``conf/`` name."""

PACKAGES = ("torch.nn", "torchvision.models", "timm", "torch.optim")
"""Packages whose modules and optimizers may be built."""


def check_targets(path: Path, settings: Any, trust: tuple[str, ...]) -> None:
    """Refuse settings of a network or an optimizer that name a class off the allowlist.

    Args:
        path: file that the settings are from.
        settings: a dictionary, or a dataclass of this project, which is accepted.
        trust: further targets that may be built, and names that may be fetched.
    """
    found = _find_untrusted(settings, trust) if isinstance(settings, dict) else None
    if found is not None:
        raise UserError(
            f"{path}: {found} is not on the list of classes that a run's configuration may build; "
            f"to build it all the same add trust=[{found}]"
        )


def trust_overrides(*groups: Any) -> list[str]:
    """The ``trust=`` override with which ``resume=`` builds what these settings name, if any."""
    targets = [
        str(value)
        for group in groups
        if isinstance(group, dict)
        for key, value in _walk(group)
        if (key == "_target_" and value not in BUILDERS and not _is_of_packages(str(value)))
        or (key == "name" and ":" in str(value))
    ]
    names = [name if re.fullmatch(r"[\w.]+", name) else hydra_quoted(name) for name in targets]
    return [f"trust=[{','.join(names)}]"] if names else []


def _find_untrusted(settings: dict[str, Any], trust: tuple[str, ...]) -> str | None:
    """The first value that must not be built or fetched.

    Hydra builds what a ``_target_`` names, at any depth, and calls functions as well as classes;
    through the modules a package has imported, ``timm.….os.system`` is a name in timm.
    """
    for key, value in _walk(settings):
        if key == "_target_":
            if value not in (*BUILDERS, *trust) and not _is_known_class(str(value)):
                return str(value)
        elif key == "name" and ":" in str(value) and value not in trust:
            return str(value)  # timm fetches ``hf-hub:…`` and reads ``local-dir:…``
        elif isinstance(value, str) and "${" in value:
            return value  # resolved only when it is built, to any value
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
    # Imported here: most runs name nothing but BUILDERS and need not wait for torch.
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
