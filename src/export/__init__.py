"""The command ``python -m src.export``: write a trained network for other programs."""
