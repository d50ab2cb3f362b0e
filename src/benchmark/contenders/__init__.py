"""The compared training loops: this project's, a bare one, and the script most people write.

Each module imports only what its contender needs, so that its start can be timed too.
"""
