"""A person's own files: recognised, read one sequence at a time, counted, kept in a compact form, handed to training.

`recognise` finds the reader for a path; `tables`, `texts`, `longform`, `files` (with `images`, `audio`, `documents`),
`arrays` and `archive` read one form each into `Row`s; `collect` checks the rows and writes them flat; `stored` is the
memory-mapped form, `importing` makes it in steps that can be taken up again; `loading` splits, standardises and hands
over `SequenceData`; `findings` tells what was found. Nothing here knows of models, losses or training.
"""
