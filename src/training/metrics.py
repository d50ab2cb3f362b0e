"""Loss and accuracy, accumulated on the device."""

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import Metric


class LossAndAccuracy(Metric):
    """Mean loss and top-1 accuracy over images, reduced over ranks by :meth:`compute`.

    An image mixed of two classes counts as correct by the share of the predicted class.
    """

    full_state_update = False
    loss_sum: Tensor
    correct: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("loss_sum", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("correct", torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(
        self, loss: Tensor, logits: Tensor, labels: Tensor, targets: Tensor | None = None
    ) -> None:
        """Add a batch: its mean loss, logits (N, classes) and int64 labels (N,).

        ``targets``, float (N, classes), are the class shares of mixed images.
        """
        self.loss_sum = self.loss_sum + loss * len(labels)
        predicted = logits.argmax(dim=1)
        if targets is None:
            correct = (predicted == labels).sum()
        else:
            correct = targets.gather(1, predicted[:, None]).sum()
        self.correct = self.correct + correct
        self.count = self.count + len(labels)

    def compute(self) -> dict[str, Tensor]:
        """``loss`` and ``acc`` (a fraction in 0..1)."""
        return {"loss": self.loss_sum / self.count, "acc": self.correct / self.count}

    def export(self) -> dict[str, float]:
        """Sums over all ranks as plain numbers; waits for the device and for the ranks."""
        sums = [self.loss_sum, self.correct, self.count]
        if dist.is_available() and dist.is_initialized():
            total = torch.stack([value.double() for value in sums])
            dist.all_reduce(total)
            sums = list(total)
        loss_sum, correct, count = (value.item() for value in sums)
        return {"loss_sum": float(loss_sum), "correct": float(correct), "count": int(count)}

    def restore(self, sums: dict[str, float]) -> None:
        """Continue from exported sums: the first rank takes them, the others start at 0."""
        others = dist.is_available() and dist.is_initialized() and dist.get_rank() > 0
        for name, value in sums.items():
            getattr(self, name).fill_(0 if others else value)
        self._update_count = 1 if sums["count"] else 0
