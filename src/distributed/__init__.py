"""A run of several ranks: which one this is, how they start, meet and end together."""
