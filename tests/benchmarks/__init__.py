"""Figures beside their goals: ``python -m tests.benchmarks`` (or ``make bench``) measures, prints one table, and judges."""
