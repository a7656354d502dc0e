"""Figures beside their goals: ``python -m tests.benchmarks`` (or ``make bench``) prints and judges them."""
