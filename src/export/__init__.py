"""Write a trained network for other programs."""
