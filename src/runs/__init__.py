"""What a run directory holds, and reading it back; imports no torch."""
