"""Readers of image data, one a file format, which :func:`open_reader` detects."""

from pathlib import Path, PurePosixPath

from src.data.readers import cifar, idx
from src.data.readers.archive import archive_kind, member_names
from src.data.readers.base import Reader
from src.data.readers.image_folder import EXPECTED, ImageArchive, ImageFolder, is_image
from src.data.registry import DATASETS

_KNOWN = (
    "a CIFAR-10 or CIFAR-100 archive or folder (python or binary version), the idx files of MNIST "
    "or Fashion-MNIST, or images in class folders"
)


def open_reader(
    root: Path,
    *,
    fine_labels: bool = True,
    dataset: str | None = None,
    exclude: tuple[str, ...] = (),
) -> Reader:
    """A reader for what is at an existing path, whose format is detected.

    Args:
        root: a file or a folder. A folder may also hold a known data set's archive or folder.
        fine_labels: CIFAR-100's 100 classes; False: its 20.
        dataset: key of ``DATASETS`` that is looked for: its archive is taken among several in a
            folder, and ``fashion_mnist`` names the classes of idx files.
        exclude: patterns of files and folders of images that are left out.
    """
    for place in _places(root, dataset):
        names = _file_names(place)
        reader = cifar.detect(place, names, fine_labels) or idx.detect(
            place, names, fashion=dataset == "fashion_mnist"
        )
        if reader and exclude:
            raise ValueError(f"data.exclude is for images in folders, not for {reader.description}")
        if reader:
            return reader
        if place.is_file():
            return ImageArchive(place, exclude)
    images = ImageFolder(root, exclude)
    if not images.files:
        left_out = "".join(f"; {note}" for note in images.selection.notes)
        raise ValueError(
            f"data.root={root} holds nothing known{left_out}; {_KNOWN} is expected; {EXPECTED}"
        )
    return images


def _places(root: Path, dataset: str | None) -> list[Path]:
    """The path itself, then the folders and then the archives of known data sets in it."""
    wanted = [DATASETS[dataset]] if dataset else DATASETS.values()
    inside = [root / name for info in wanted for name in info.accepted]
    return [root, *filter(Path.is_dir, inside), *filter(Path.is_file, inside)]


def _file_names(place: Path) -> set[str]:
    """The names of a folder's files; of an archive only the first that tells the format."""
    if place.is_dir():
        return {entry.name for entry in place.iterdir() if entry.is_file()}
    if archive_kind(place) is None:
        raise ValueError(
            f"data.root={place} is a file of no known format; {_KNOWN} is expected, in a folder or "
            "an archive (.tar, .tar.gz, .tar.xz, .tar.bz2, .zip)"
        )
    names = (PurePosixPath(name).name for name in member_names(place))
    first = next((name for name in names if name in cifar.BATCH_FILES or is_image(name)), "")
    return {first}
