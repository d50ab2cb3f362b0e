"""Early stopping whose patience may be changed when a run is resumed."""

from typing import Any

from lightning.pytorch import callbacks


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's EarlyStopping with the patience of the current configuration.

    Lightning 2.6 restores the patience of the checkpoint.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict | {"patience": self.patience})
