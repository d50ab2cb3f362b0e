"""The command ``python -m src.predict``: classify images that the user names."""
