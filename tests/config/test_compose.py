"""What a command line is taken to mean, and how a wrong one is refused."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from src.config.compose import plan
from src.config.optimization import OPTIMIZERS, SCHEDULERS
from src.config.validate import CONF
from src.errors import ConfigError

RECIPES = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
WRONG = [
    ("scheduler=cosnie", "scheduler=cosnie: no such option; did you mean cosine?"),
    ("schedular=cosine", "schedular: no such setting; did you mean scheduler?"),
    ("trainer.max_epoch=3", "trainer.max_epoch: no such setting; did you mean trainer.max_epochs?"),
    ("+trainer.max_epoch=3", "trainer.max_epoch: no such setting; did you mean max_epochs?"),
    ("+sed=1", "sed: no such setting; did you mean seed?"),
    ("trainer.max_epochs=many", "trainer.max_epochs=many: should be a valid integer"),
    ("trainer.max_epochs=0", "trainer.max_epochs=0: should be greater than or equal to 1"),
    ("optimizer.lr=-1", "optimizer.lr=-1: should be greater than 0"),
    ("optimizer.lr=nan", "optimizer.lr=nan: should be a finite number"),
    ("optimizer.momentum=1", "optimizer.momentum=1: should be less than 1"),
    ("seed=-1", "seed=-1: should be greater than or equal to 0"),
    (
        "model.stem=imagnet",
        "model.stem=imagnet: should be 'cifar' or 'imagenet'; did you mean imagenet?",
    ),
    ("model.name=resnet19", "model.name=resnet19: no such network"),
    ("data.std=[0.2,0,0.2]", "data.std=0: should be greater than 0"),
    (
        "callbacks.monitor=val/accuracy",
        "callbacks.monitor=val/accuracy: should be 'val/acc', 'val/loss', ",
    ),
    ("objective=test/acc", "objective=test/acc: should be 'val/acc', 'val/loss', "),
    ("callbacks.ema.decay=2", "callbacks.ema.decay=2: should be less than 1"),
    ("model=resnet18,resnet50", "several values make a sweep; add -m"),
    ("no words", "no words: not understood"),
    ("optimizer=custom", "optimizer._target_=None: the dotted path of a class is needed"),
    ("model=custom", "model._target_=None: the dotted path of a class is needed"),
    ("model=torchvision", "model.name: which network?"),
    ("optimizer.name=sdg", "optimizer.name=sdg: not an option; did you mean sgd?"),
    ("data=folder", "data.root: where are the images?"),
    ("model=null", "model=null: one of the options is needed (accepted: custom, "),
    ("experiment=null", "experiment=null: one of the options is needed"),
    ("model=", "model=: no such option (accepted: custom, "),
    ("=3", "=3: not understood"),
]
CONTRADICTIONS = [
    (["data.validate_on=test"], "would choose the checkpoint by the test set"),
    (
        ["data.validate_on=test", "test_checkpoint=last", "callbacks=early_stopping"],
        "would stop by the test set",
    ),
    (["callbacks.checkpoint=false"], "test_checkpoint=best: needs callbacks.checkpoint=true"),
    (["trainer.accelerator=cpu", "trainer.precision=16-mixed"], "float16 needs a GPU"),
    (["trainer.max_epochs=null"], "one of them must be set"),
    (["scheduler.warmup_epochs=9", "trainer.max_epochs=3"], "must be shorter than the run"),
    (["scheduler=multistep", "scheduler.milestones=[5,3]"], "must increase"),
    (["optimizer.momentum=0"], "needs optimizer.momentum above 0"),
    (["data.mean=null"], "belong together"),
    (["data.mean=[]", "data.std=[]"], "one value per channel"),
    (["data=shapes", "data.root=here"], "data=shapes is drawn; it has no files"),
    (["data.resident=always", "data.num_workers=2"], "leave one of them out"),
    (["optimizer=adam", "optimizer.betas=[0.9]"], "two values are needed"),
    (["model.zero_init_residual=true", "model.shortcut=none"], "nothing would pass"),
    (["trainer.check_val_every_n_epoch=31"], "would never be validated"),
    (["data.mean=[0.5]"], "data.mean has 1 values and data.std 3"),
    (["trainer.devices=3", "data.batch_size=2"], "the 3 devices share a batch"),
    (["trainer.accelerator=cpu", "trainer.sync_batchnorm=true"], "torch has it for GPUs alone"),
    (["data.image_size=16", "augment.cutout=16"], "must be smaller than data.image_size=16"),
    (
        ["scheduler=cosine", "scheduler.warmup_epochs=2", "scheduler.total_epochs=2"],
        "scheduler.total_epochs=2: must be more than scheduler.warmup_epochs=2",
    ),
]
OUT_OF_RANGE = {
    "augment=standard": [
        "crop_padding=-1",
        "crop_mode=reflct",
        "flip=altern",
        "cutout=-2",
        "erase_probability=1.5",
        "erase_fill=black",
        "mixup=-0.1",
        "cutmix=inf",
        "mix_probability=nan",
    ],
    "model=resnet18": [
        "shortcut=b",
        "num_classes=1",
        "in_channels=0",
        "dropout=1.0",
        "dropout=nan",
        "norm_momentum=0.0",
        "norm_momentum=1.1",
    ],
    "optimizer=sgd": ["weight_decay=-1.0", "decay_on=norms", "bias_lr_factor=0.0"],
    "optimizer=adamw": ["eps=0.0", "lr=inf"],
    "optimizer=muon": ["rest=adam", "ns_steps=0", "ns_steps=100", "adjust_lr_fn=spectral"],
    "optimizer=custom": ["weight_decay=-1.0", "decay_on=norms"],
    "scheduler=constant": ["warmup_epochs=-1.0", "warmup_start=-1.0", "warmup_epochs=inf"],
    "scheduler=step": ["step_size=0.0", "gamma=0.0", "unit=day"],
    "scheduler=cosine": ["final=-0.1", "total_epochs=0.0"],
    "scheduler=onecycle": ["peak=1.0", "start=nan", "anneal=exp", "final=nan"],
}


@pytest.mark.parametrize(("override", "message"), WRONG)
def test_a_wrong_word_is_refused_in_one_line(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as refusal:
        plan("train", [override])
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(("overrides", "message"), CONTRADICTIONS)
def test_settings_that_contradict_each_other_are_refused(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        plan("train", overrides)


@pytest.mark.parametrize(
    ("option", "value"), [(key, value) for key, values in OUT_OF_RANGE.items() for value in values]
)
def test_a_value_out_of_range_is_refused_by_its_key(option: str, value: str) -> None:
    group = option.partition("=")[0]
    words = ["optimizer._target_=torch.optim.RMSprop"] if option == "optimizer=custom" else []
    message = rf"^{group}\.{value}: (should be|not an option)"
    with pytest.raises(ConfigError, match=message):
        plan("train", [option, f"{group}.{value}", *words])


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_is_a_valid_configuration_and_says_what_it_is(recipe: str) -> None:
    assert plan("train", [f"experiment={recipe}"]).jobs
    header = (CONF / "experiment" / f"{recipe}.yaml").read_text().splitlines()[1:12]
    words = " ".join(header)
    assert f"experiment={recipe}" in words
    assert "Cost:" in words
    assert "Published:" in words or "drawn shapes" in words  # of which nobody has published


def test_every_option_of_every_group_composes() -> None:
    extra = {
        "folder": ["data.root=x"],
        "torchvision": ["model.name=alexnet"],
        "timm": ["model.name=resnet18"],
    }
    for path in CONF.glob("*/*.yaml"):
        group, option = path.parent.name, path.stem
        assert path.read_text().startswith("#"), f"{path} has no header comment"
        if option == "custom":
            extra[option] = [f"{group}._target_=torch.nn.Identity"]
        plan("train", [f"{group}={option}", *extra.get(option, [])])


def test_the_files_and_the_schemas_name_the_same_options() -> None:
    for group, kinds in (("optimizer", OPTIMIZERS), ("scheduler", SCHEDULERS)):
        assert {path.stem for path in (CONF / group).glob("*.yaml")} - {"custom"} == set(kinds)


def test_a_setting_has_its_default_in_its_file_alone() -> None:
    with pytest.raises(ConfigError, match=r"optimizer\.momentum: is missing; a file"):
        plan("train", ["~optimizer.momentum"])
    # One that came with a later version may be missing.
    (job,) = plan("train", ["~data.exclude"]).jobs
    assert job.config.data.exclude == []


def test_a_sweep_is_every_combination() -> None:
    asked = plan("train", ["model=resnet20,resnet18", "seed=0,1,2"], multirun=True)
    assert len(asked.jobs) == 6
    assert asked.jobs[0].overrides == ("model=resnet20", "seed=0")
    assert len({job.key for job in asked.jobs}) == 6


def test_a_job_is_known_by_what_it_is_not_by_how_it_is_written() -> None:
    def key(*words: str) -> str:
        (job,) = plan("train", list(words)).jobs
        return job.key

    plain = key("model=resnet20")
    assert key("model=resnet20", "optimizer=sgd", "optimizer.lr=1e-1") == plain
    assert key("callbacks.progress_bar=false", "logger=csv", "model=resnet20") == plain
    for word in ("seed=1", "optimizer.lr=0.2", "data.root=x", "trainer.max_epochs=7"):
        assert key("model=resnet20", word) != plain


def test_a_sweep_with_one_wrong_job_is_refused_as_a_whole() -> None:
    with pytest.raises(ConfigError, match=r"job 1 \(optimizer.lr=-1\): optimizer.lr=-1: should"):
        plan("train", ["optimizer.lr=0.1,-1"], multirun=True)


def test_a_recipe_may_be_a_sweep_and_its_values_may_be_replaced() -> None:
    asked = plan("train", ["experiment=cifar10_shortcuts", "model=resnet20"])
    assert asked.multirun
    assert len(asked.jobs) == 4


def test_mistakes_are_found_without_importing_torch(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['train', 'scheduler=cosnie']\n"
        "from src.cli import start\n"
        "try:\n    start('train')\n"
        "except SystemExit as stop:\n    assert stop.code == 2, stop.code\n"
        "assert 'torch' not in sys.modules and 'cv2' not in sys.modules\n"
    )
    root = CONF.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("error: scheduler=cosnie")
    assert len(done.stderr.splitlines()) == 1
