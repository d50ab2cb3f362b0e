"""The configuration that a run was composed with."""

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from src.config.errors import UserError, one_line
from src.runs.directory import RunDirectory


def read_config(directory: RunDirectory) -> DictConfig:
    """Read a run's ``.hydra/config.yaml``.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    try:
        with directory.config.open() as file:
            # One thing under many names may be so many things that it takes for ever.
            if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(file)):
                raise ValueError("it refers to parts of itself, which Hydra does not write")
        cfg = OmegaConf.load(directory.config)
    except (OSError, ValueError, RecursionError, yaml.YAMLError, OmegaConfBaseException) as error:
        raise UserError(f"{directory.config}: cannot be read ({one_line(error)})") from error
    if not isinstance(cfg, DictConfig):
        raise UserError(f"{directory.config}: holds no configuration")
    return cfg
