"""Runs over data that are not in the repository: ``python -m tests.experiments.NAME --data-dir FOLDER``.

Each writes ``results/NAME.json``, which is committed; the tables in ``docs/`` are made from these files.
"""
