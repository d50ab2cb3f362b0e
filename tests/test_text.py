"""A wrong name is answered with the nearest right one."""

import pytest

from src.text import check_choice, nearest


def test_a_close_name_is_suggested_and_a_far_one_is_not() -> None:
    assert nearest("cosnie", ["cosine", "step"]) == "; did you mean cosine?"
    assert nearest("xyz", ["cosine", "step"]) == ""


def test_a_name_is_checked() -> None:
    check_choice("scheduler.name", "step", ["cosine", "step"])
    with pytest.raises(ValueError, match="must be one of cosine, step, got 'stop'; did you mean"):
        check_choice("scheduler.name", "stop", ["cosine", "step"])
