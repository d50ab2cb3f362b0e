"""Residual networks on CIFAR images: training, experiments and sweeps."""
