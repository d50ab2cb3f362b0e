"""How good a trained run is, alone or against another."""
