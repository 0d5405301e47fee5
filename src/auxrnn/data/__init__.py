"""Data: from files to sequences in memory.

`presets` names the data sets (no torch), `catalogue` loads and verifies them by name; below them `pixels` builds
sequences from images, `splits` draws subsets, `sources` finds or downloads files, `idx` reads one format, and `dataset`
says what a set of labelled sequences is. Nothing here knows of models, losses or training.
"""
