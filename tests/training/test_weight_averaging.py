"""The moving average of the weights, its warm-up, and when it is updated."""

from pathlib import Path

import lightning as L
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from src.training.callbacks.weight_averaging import EMAWeightAveraging

pytestmark = pytest.mark.filterwarnings("ignore:.*(LeafSpec|logging interval|val_dataloader)")


class Count(L.LightningModule):
    """Its only weight is the number of steps that have been made."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return -self.weight

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1.0)


def average_after(steps: int, decay: float, every_n_steps: int, path: Path) -> float:
    module = Count()
    trainer = L.Trainer(
        accelerator="cpu",
        max_epochs=1,
        callbacks=[EMAWeightAveraging(decay, every_n_steps)],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=path,
    )
    trainer.fit(module, DataLoader(torch.zeros(steps), batch_size=1))  # type: ignore[arg-type]
    return float(module.weight.detach())


@pytest.mark.parametrize("every_n_steps", [1, 3])
@pytest.mark.parametrize("decay", [0.3, 0.999])
def test_the_decay_rises_to_what_is_asked_for(
    decay: float, every_n_steps: int, tmp_path: Path
) -> None:
    expected = 1.0
    for update, step in enumerate(range(1 + every_n_steps, 31, every_n_steps), 1):
        kept = min(decay, (1 + update) / (10 + update))
        expected = kept * expected + (1 - kept) * step
    found = average_after(30, decay, every_n_steps, tmp_path)
    assert found == pytest.approx(expected, rel=1e-5)
    assert found > 15, "the first steps are forgotten in a run of 30"
