"""Early stopping whose patience may be changed when a run is resumed."""

from typing import Any

from lightning.pytorch import callbacks


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, with the patience of today's configuration; 2.6 takes the checkpoint's."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up the best score and the validations since then."""
        super().load_state_dict(state_dict | {"patience": self.patience})
