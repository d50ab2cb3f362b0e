"""Runs of several ranks: launch, rendezvous, errors and exit."""
