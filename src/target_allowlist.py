"""Allowlist of the ``_target_`` classes that a run's configuration may build."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from src.config.compose import hydra_quoted
from src.config.validate import BACKBONES_BY_NAME, BUILD_MODEL
from src.errors import UserError

BUILDERS = (BUILD_MODEL, *BACKBONES_BY_NAME)
"""Targets that the files in ``conf/`` name."""

PACKAGES = ("torch.nn.", "torchvision.models.", "timm.", "torch.optim.")
"""Packages whose modules and optimizers may be built."""


def check_targets(path: Path, settings: Any, trust: Sequence[str]) -> None:
    """Refuse settings of a network or an optimizer that name a class off the allowlist.

    Settings from the file ``path`` that are a dataclass of this project are accepted as they are.
    ``trust`` are further targets that may be built, and names that may be fetched.
    """
    for key, value in _walk(settings):
        if not _is_safe(key, value, trust):
            raise UserError(
                f"{path}: {value} is not on the list of classes that a run's configuration may "
                f"build; to build it all the same add trust=[{value}]"
            )


def trust_overrides(*groups: Any) -> list[str]:
    """The ``trust=`` override with which ``resume=`` builds what these settings name, if any."""
    targets = [
        str(value)
        for group in groups
        for key, value in _walk(group)
        if key in ("_target_", "name") and not _is_safe(key, value, ())
    ]
    names = [name if re.fullmatch(r"[\w.]+", name) else hydra_quoted(name) for name in targets]
    return [f"trust=[{','.join(names)}]"] if names else []


def _walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key and value of dictionaries and lists, at any depth."""
    pairs: Iterable[tuple[Any, Any]] = ()
    if isinstance(node, dict):
        pairs = node.items()
    elif isinstance(node, list):
        pairs = (("", item) for item in node)
    for key, value in pairs:
        yield str(key), value
        yield from _walk(value)


def _is_safe(key: str, value: Any, trust: Sequence[str]) -> bool:
    """Whether a setting builds and fetches only what it may.

    Hydra builds what a ``_target_`` names, at any depth, and calls functions as well as classes;
    through the modules a package has imported, ``timm.….os.system`` is a name in timm.
    """
    if key == "_target_":
        return value in (*BUILDERS, *trust) or _is_known_class(str(value))
    if key == "name" and ":" in str(value) and value not in trust:
        return False  # timm fetches ``hf-hub:…`` and reads ``local-dir:…``
    # An interpolation is resolved only when it is built, to any value.
    return not (isinstance(value, str) and "${" in value)


def _is_known_class(target: str) -> bool:
    if not target.startswith(PACKAGES):
        return False
    # Imported here: most runs name nothing but BUILDERS and need not wait for torch.
    from torch.nn import Module
    from torch.optim import Optimizer

    try:
        found = resolve_name(target)
        known = issubclass(found, (Module, Optimizer))
    except Exception:
        return False
    return known and f"{found.__module__}.".startswith(PACKAGES)
