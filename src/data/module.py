"""The LightningDataModule: opens the images, splits them, feeds and augments them."""

import logging

import lightning as L
import numpy as np
import torch
from torch import Tensor

from src.augment.pipeline import Augment
from src.config.schema import DataConfig
from src.data.dataset import Batch, ImageDataset
from src.data.image_data import ImageData, ImageSet, check_classes
from src.data.load import open_images
from src.data.loader import BatchOrder, EpochLoader, ResidentImages
from src.data.split import indices_hash, stratified_split
from src.text import first_names

log = logging.getLogger(__name__)

_RESIDENT_SHARE = 0.25  # of a GPU's free memory that the images may take


class ImageDataModule(L.LightningDataModule):
    """Images of one data set as batches on the device.

    Training batches are shuffled and augmented, as functions of (seed, epoch, index).
    """

    def __init__(self, config: DataConfig, augment: Augment, seed: int):
        super().__init__()
        self.config = config
        self.augment = augment
        self.seed = seed
        self.data: ImageData | None = None
        self._resident: dict[tuple[ImageDataset, torch.device], ResidentImages] = {}

    def setup(self, stage: str | None = None) -> None:
        """Open the data set and split it; a second call, the Trainer's, does nothing."""
        if self.data is not None:
            return
        self.data = open_images(self.config)
        self.classes = self.data.classes
        self.train_set = self._dataset(self.data.train)
        self.test_set = self._dataset(self.data.test)
        self._split(self.data)
        self._check_sizes()
        log.info("%s", self.describe())

    def _dataset(self, part: ImageSet) -> ImageDataset:
        return ImageDataset(part.images, part.labels, self.classes)

    def _split(self, data: ImageData) -> None:
        labels = data.train.labels
        self.train_indices = np.arange(len(labels))
        if self.config.validate_on == "test":
            log.warning("validating on the test set, as data.validate_on=test asks")
            self.val_set, self.val_indices = self.test_set, np.arange(len(data.test))
        elif data.validation is not None:
            self.val_set = self._dataset(data.validation)
            self.val_indices = np.arange(len(self.val_set))
        else:
            check_classes(self.classes, labels, data.description, ("training", "validation"))
            self.val_set = self.train_set
            self.train_indices, self.val_indices = stratified_split(
                labels, self.config.val_fraction, self.config.split_seed
            )
        self.split_hash = indices_hash(self.train_indices)

    def _check_sizes(self) -> None:
        batch_size, images = self.config.batch_size, len(self.train_indices)
        if batch_size > images:
            raise ValueError(
                f"data.batch_size={batch_size}: larger than the training set of {images} images; "
                f"choose {images} or less"
            )
        height, width, _ = self.image_shape
        cutout, padding = self.augment.cutout, self.augment.crop_padding
        if cutout > min(height, width):
            raise ValueError(f"augment.cutout={cutout}: larger than the images ({height}x{width})")
        if self.augment.crop_mode == "reflect" and padding >= min(height, width):
            raise ValueError(
                f"augment.crop_padding={padding}: reflection needs less than the image's side "
                f"({height}x{width})"
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of every image."""
        height, width, channels = self.train_set.images.shape[1:]
        return int(height), int(width), int(channels)

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation per channel, in 0..1; measured unless they are configured."""
        mean, std = self.config.mean, self.config.std
        if mean is None or std is None:
            mean, std = _measure(self.train_set.images, self.train_indices)
            log.info("measured mean %s, std %s", *(np.round(v, 4).tolist() for v in (mean, std)))
        channels = self.image_shape[2]
        if len(mean) != channels:  # there are as many standard deviations
            raise ValueError(
                f"data.mean={mean}: {len(mean)} values for images of {channels} channels; give one "
                "each, or data.mean=null data.std=null to measure them"
            )
        return mean, std

    def describe(self) -> str:
        """One line: what is trained, validated and tested on."""
        assert self.data is not None
        height, width, channels = self.image_shape
        held_out = " and ".join(self.held_out)
        origin = f" ({held_out} held out of the training images)" if held_out else ""
        return (
            f"{self.data.description}: {len(self.train_indices):,} training, "
            f"{len(self.val_indices):,} {self.config.validate_on}, {len(self.test_set):,} test "
            f"images{origin} of {height}x{width}x{channels}, "
            f"{len(self.classes)} classes ({first_names(self.classes, 10)})"
        )

    @property
    def held_out(self) -> list[str]:
        """What was taken out of the training images: ``validation``, ``test``, both or neither."""
        assert self.data is not None
        parts = {"validation": self.val_set is self.train_set, "test": self.data.test_held_out}
        return [part for part, held_out in parts.items() if held_out]

    def train_dataloader(self) -> EpochLoader:
        """Shuffled batches from where the Trainer stands."""
        return self._loader(self.train_set, self.train_indices, training=True)

    def val_dataloader(self) -> EpochLoader:
        """The validation images, or the test images with ``validate_on: test``."""
        return self._loader(self.val_set, self.val_indices)

    def test_dataloader(self) -> EpochLoader:
        """The test images."""
        return self._loader(self.test_set, np.arange(len(self.test_set)))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Augment a training batch, on the device."""
        if self.trainer is None or not self.trainer.training or self.augment.identity:
            return batch
        images, labels, targets = self.augment(
            batch.images, batch.labels, batch.indices, self._position()[0], len(self.classes)
        )
        indices = batch.indices[: len(labels)]
        return batch._replace(images=images, labels=labels, indices=indices, targets=targets)

    def _loader(
        self, dataset: ImageDataset, indices: np.ndarray, training: bool = False
    ) -> EpochLoader:
        config, trainer = self.config, self.trainer
        device = trainer.strategy.root_device if trainer else torch.device("cpu")
        ranks = trainer.world_size if trainer else 1
        resident = self._resident_images(dataset, device)
        # Where the images are, so that no step waits for its indices to be copied.
        members = torch.from_numpy(indices).to(device if resident else "cpu")
        order = BatchOrder(
            members,
            batch_size=config.batch_size if training else max(config.eval_batch_size, ranks),
            seed=self.seed,
            shuffle=training,
            drop_last=config.drop_last and training,
            rank=trainer.global_rank if trainer else 0,
            ranks=ranks,
            accumulate=trainer.accumulate_grad_batches if trainer and training else 1,
        )

        def partners(batch: Tensor, epoch: int) -> Tensor:
            return members[self.augment.partners(batch, epoch, len(members))]

        return EpochLoader(
            resident or dataset,
            order,
            position=self._position if trainer and training else lambda: (0, 0),
            end=(lambda: int(trainer.num_training_batches)) if trainer and training else None,
            partners=partners if training and self.augment.mixes else None,
            num_workers=0 if resident else config.num_workers,
            pin_memory=device.type == "cuda",
        )

    def _position(self) -> tuple[int, int]:
        assert self.trainer is not None
        done = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        return self.trainer.current_epoch, done

    def _resident_images(
        self, dataset: ImageDataset, device: torch.device
    ) -> ResidentImages | None:
        """The images on the device, once for all loaders; None where they stay on the host."""
        key = (dataset, device)
        if key not in self._resident and self._are_resident(device):
            self._resident[key] = ResidentImages(dataset, device)
        return self._resident.get(key)

    def _are_resident(self, device: torch.device) -> bool:
        """Whether the images go to the device for good; on a CPU they are mapped memory."""
        if self.config.resident != "auto":
            return self.config.resident == "always"
        if device.type != "cuda" or self.config.num_workers:
            return False
        free, _ = torch.cuda.mem_get_info(device)
        # Images that are there already are part of what is needed.
        free += sum(resident.images.nbytes for resident in self._resident.values())
        sets = {self.train_set, self.val_set, self.test_set}
        return sum(dataset.images.nbytes for dataset in sets) <= _RESIDENT_SHARE * free


def _measure(images: np.ndarray, indices: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of uint8 images (N, H, W, C) per channel, over 255."""
    total = np.zeros(images.shape[-1])
    squares = np.zeros(images.shape[-1])
    for chunk in np.array_split(indices, max(1, len(indices) // 1024)):
        values = images[chunk].astype(np.float64) / 255
        total += values.sum(axis=(0, 1, 2))
        squares += (values**2).sum(axis=(0, 1, 2))
    count = len(indices) * images.shape[1] * images.shape[2]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 1e-12))
    return mean.tolist(), std.tolist()
