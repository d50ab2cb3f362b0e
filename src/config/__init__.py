"""What may be configured; imports hydra and omegaconf, never torch."""
