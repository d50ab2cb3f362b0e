"""The compared training loops: this project's, a bare one, and the script most people write.

Each module has a ``train(config, compute, step_done)`` that trains until ``step_done``, called with
the number of images after each step, raises. Each imports only what its loop needs.
"""
