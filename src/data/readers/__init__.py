"""Readers of image data, one a file format, and :func:`open_source` to tell them apart."""

from pathlib import Path, PurePosixPath

from src.data.readers import idx
from src.data.readers.archive import archive_kind, member_names
from src.data.readers.base import Reader
from src.data.readers.cifar import CifarBinary, CifarPython
from src.data.readers.file_selection import is_image
from src.data.readers.folder_layout import EXPECTED, seen_from_here
from src.data.readers.image_folder import ImageArchive, ImageFolder
from src.data.registry import get_dataset, list_datasets

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
    """Recognise the format of what is at a path.

    Args:
        root: a file or a folder. A folder may also hold a known data set's archive or folder.
        fine_labels: CIFAR-100's 100 classes; False: its 20.
        dataset: name of the data set that is looked for (:func:`list_datasets`): its archive is
            taken among several in a folder, and ``fashion_mnist`` names the classes of idx files.
        exclude: patterns of files and folders of images that are left out.

    Raises:
        ValueError: there is nothing at the path, nothing that is recognised, or nothing that
            patterns apply to.
    """
    root = Path(root)
    if not root.exists():
        raise ValueError(
            f"data.root={root} does not exist{seen_from_here(root)}; {_KNOWN} is expected there"
        )
    source = _open(root, fine_labels, dataset, exclude)
    if exclude and not isinstance(source, ImageArchive | ImageFolder):
        raise ValueError(f"data.exclude is for images in folders, not for {source.description}")
    return source


def _open(root: Path, fine_labels: bool, dataset: str | None, exclude: tuple[str, ...]) -> Reader:
    if not root.is_dir():
        return _open_file(root, fine_labels, exclude)
    wanted = [dataset] if dataset else list_datasets()
    inside = [root / name for known in wanted for name in get_dataset(known).accepted]
    for folder in [root, *filter(Path.is_dir, inside)]:
        source = _open_batches(folder, fine_labels, dataset)
        if source is not None:
            return source
    for archive in filter(Path.is_file, inside):
        return _open_file(archive, fine_labels, exclude)
    images = ImageFolder.scan(root, exclude)
    if not images.files:
        left_out = "".join(f"; {note}" for note in images.left_out)
        raise ValueError(
            f"data.root={root} holds nothing known{left_out}; {_KNOWN} is expected; {EXPECTED}"
        )
    return images


def _open_batches(folder: Path, fine_labels: bool, dataset: str | None) -> Reader | None:
    names = {entry.name for entry in folder.iterdir() if entry.is_file()}
    return (
        CifarPython.recognise(folder, names, fine_labels)
        or CifarBinary.recognise(folder, names, fine_labels)
        or idx.recognise(folder, names, fashion=dataset == "fashion_mnist")
    )


def _open_file(path: Path, fine_labels: bool, exclude: tuple[str, ...]) -> Reader:
    if archive_kind(path) is None:
        raise ValueError(
            f"data.root={path} is a file of no known format; {_KNOWN} is expected, in a folder or "
            "an archive (.tar, .tar.gz, .tar.xz, .tar.bz2, .zip)"
        )
    layouts = CifarPython.layouts + CifarBinary.layouts
    batches = {name for layout in layouts for name in layout.batches}
    files = (PurePosixPath(name).name for name in member_names(path))
    first = {next((name for name in files if is_image(name) or name in batches), "")}
    return (
        CifarPython.recognise(path, first, fine_labels)
        or CifarBinary.recognise(path, first, fine_labels)
        or ImageArchive(path, exclude)
    )
