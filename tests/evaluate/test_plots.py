"""Pictures of predictions show what they say they show."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from src.evaluate import plots
from src.evaluate.plots import calibration_figure, confusion_figure, worst_mistakes
from src.inference.predictions import Predictions
from src.plotting import as_pixels


def said(*confidences: float, labels: list[int]) -> Predictions:
    """Class 0 with these probabilities, of two classes."""
    shares = np.array([[share, 1 - share] for share in confidences])
    return Predictions(shares, np.array(labels))


def counted(matrix: list[list[int]]) -> Predictions:
    """As many certain predictions of each class (rows: the true one) as the matrix says."""
    size = len(matrix)
    labels, guesses = np.indices((size, size)).reshape(2, -1).repeat(np.ravel(matrix), axis=1)
    return Predictions(np.eye(size)[guesses], labels)


def test_rows_are_true_and_columns_predicted() -> None:
    figure = confusion_figure(counted([[3, 1], [0, 2]]), ["cat", "dog"])
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted", "true")
    assert axes.get_title() == "accuracy 83.33% on 6 images"
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    written = {(text.get_position(), text.get_text()) for text in axes.texts}
    assert written == {((0, 0), "3"), ((1, 0), "1"), ((1, 1), "2")}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["cat", "dog"]


def matrix_area(figure: Figure) -> float:
    figure.canvas.draw()
    box = figure.axes[0].get_window_extent()
    return float(box.width * box.height)


@pytest.mark.filterwarnings("error")
def test_a_long_name_leaves_the_matrix_its_room() -> None:
    predictions = counted([[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    short = confusion_figure(predictions, ["a" * 12, "b", "c"])
    long = confusion_figure(predictions, ["a" * 60, "b", "c"])
    assert matrix_area(long) > 0.6 * matrix_area(short)


def test_a_name_is_no_formula() -> None:
    figure = confusion_figure(counted([[1, 0], [0, 1]]), ["$a_$", "b"])
    assert as_pixels(figure).std() > 10


def test_bars_are_as_high_as_the_share_that_is_right() -> None:
    predictions = said(0.9, 0.9, 0.9, 0.9, 0.6, 0.6, labels=[0, 0, 0, 1, 0, 1])
    above, below = calibration_figure(predictions).axes
    bars = {round(bar.get_x() + bar.get_width() / 2, 2): bar.get_height() for bar in above.patches}
    assert bars == pytest.approx({0.9: 0.75, 0.57: 0.5})
    counts = [bar.get_height() for bar in below.patches]
    assert counts[13] == 4 and counts[8] == 2 and sum(counts) == 6
    assert above.get_title() == "accuracy 66.67% on 6 images"
    assert above.get_ylabel() == "accuracy" and below.get_xlabel() == "confidence"


def test_the_most_confident_mistakes_are_drawn_first(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[tuple[list[int], list[str]]] = []

    def grid(images: np.ndarray, texts: list[str]) -> np.ndarray:
        drawn.append((images[:, 0, 0, 0].tolist(), texts))
        return images[0]

    monkeypatch.setattr(plots, "image_grid", grid)
    monkeypatch.setattr(plots, "MAX_MISTAKES", 2)
    predictions = said(0.6, 0.9, 0.99, 0.7, labels=[1, 1, 0, 1])
    images = np.arange(4, dtype=np.uint8).reshape(4, 1, 1, 1)
    worst_mistakes(predictions, images, ["cat", "dog"])
    assert drawn == [([1, 3], ["cat 90%\nis dog", "cat 70%\nis dog"])]
