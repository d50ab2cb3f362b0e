"""What trains a network; the network is handed to it."""
