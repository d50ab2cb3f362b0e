"""Classify images that the user names with a trained run."""

import sys

import numpy as np
from hydra.core.override_parser.types import Override

from src.config.schema import PredictConfig
from src.data.readers.image_folder import not_read
from src.errors import ConfigError, as_user_errors
from src.files import output_folder, table
from src.inference.load_run import load_chosen_run
from src.inference.predictions import classifier_of
from src.plotting import warn_if_fails
from src.predict.inputs import find_images, read_batches
from src.predict.output import Results, draw_contact_sheet, show_predictions

CSV, PICTURE = "predictions.csv", "predictions.png"


def run(settings: PredictConfig, changes: list[Override]) -> int:
    """Classify, print and write; returns the exit code, 1 when an image could not be read."""
    if changes:
        raise ConfigError(f"{changes[0].input_line}: the images are given by input=<…> here")
    with as_user_errors():
        found = find_images(str(settings.input))
    trained = load_chosen_run(settings)
    classify = classifier_of(trained, settings)
    results = Results()
    with output_folder(settings.output, trained.directory.path / "predictions") as output_dir:
        # Pictures written by earlier calls are not inputs.
        files = [file for file in found.files if file != output_dir / PICTURE]
        others = [file.name for file in found.others if output_dir not in file.parents]
        if skipped := not_read(others):
            print(skipped, file=sys.stderr)
        results.report(found.problems)
        with table(output_dir / CSV) as writer:
            writer.writerow(["file", "prediction", "probability", *trained.classes])
            batches = read_batches(files, trained.image_shape, settings.batch_size)
            for images, problems in batches:
                results.report(problems)
                if not images:
                    continue
                probabilities = classify(np.stack([image.pixels for image in images]))
                results.add(images, probabilities)
                for image, row in zip(images, probabilities, strict=True):
                    digits = [f"{share:.6g}" for share in row]
                    best = int(row.argmax())
                    writer.writerow([image.file, trained.classes[best], digits[best], *digits])
        (output_dir / PICTURE).unlink(missing_ok=True)
        if results.shown:
            with warn_if_fails(output_dir / PICTURE):
                draw_contact_sheet(output_dir / PICTURE, results, trained.classes)
    show_predictions(results, trained, settings, output_dir)
    return 1 if results.unreadable else 0
