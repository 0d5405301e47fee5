"""Damaged files for every parser: `PYTHONPATH=tests python -m fuzz --inputs 1000 [--format ts] [--seed 0]`.

`mutations` spoils bytes, `formats` has small valid files of each format and what reads them, `campaign` feeds one to
the other. A parser may answer with a result or with one InputError of one line; anything else is a finding.
"""
