"""Run and sweep directories: files, records, locks, and reading them back. Imports no torch."""
