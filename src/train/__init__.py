"""The command ``python -m src.train``: one training run from start to end."""
