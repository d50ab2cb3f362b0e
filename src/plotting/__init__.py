"""Matplotlib without a window: figures, and images in a grid."""
