"""Data: from files to sequences in memory.

`presets` names the published sets (no torch), `published` loads and verifies them by name; below them `pixels`,
`cifar`, `dogs` and `dbpedia` read one set each, `splits` draws subsets, `remote` and `downloads` get files, `idx`,
`npy` and `lines` read one format, and `dataset` says what a set of labelled sequences is. Nothing here knows of models,
losses or training.
"""
