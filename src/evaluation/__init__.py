"""How good a trained network is: its predictions, measures of them, pictures, comparisons."""
