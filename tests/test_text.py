"""A wrong name is answered with the nearest right one."""

from src.text import nearest


def test_a_close_name_is_suggested_and_a_far_one_is_not() -> None:
    assert nearest("cosnie", ["cosine", "step"]) == "; did you mean cosine?"
    assert nearest("xyz", ["cosine", "step"]) == ""
