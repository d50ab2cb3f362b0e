"""What is raced: this project's training, a bare loop, and the script most people write.

Each module imports only what its contender needs, so that its start can be timed too.
"""
