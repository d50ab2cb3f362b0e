"""The command ``python -m src.evaluate``: accuracy of a trained run, alone or against another."""
