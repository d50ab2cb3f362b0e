"""Comparing runs: groups over seeds, significance, tables and a page; needs no torch."""

from src.reports.report import Report, build_report

__all__ = ["Report", "build_report"]
