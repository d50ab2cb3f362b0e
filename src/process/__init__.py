"""Signal handlers, file locks and child processes, which end with their parent."""
