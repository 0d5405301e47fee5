"""A person's own files: recognised, read one sequence at a time, counted, kept in a compact form, handed to training.

`recognise` finds the reader for a path; `tables`, `texts`, `longform`, `file_lists` (of `media`), `arrays`, `archive`
and `joined` are a `reader` each; `label_columns` finds the columns of labels, which the target reads and
numbers; `collect` checks the rows and writes them flat; `stored` is the memory-mapped form, `importing` makes it in
steps that can be taken up again; `loading` splits them and hands over `SequenceData`, made by `prepared`; `findings`
tells what was found; `unlabelled` and `inputs` read what is to be predicted from. Nothing here knows of models, losses
or training.
"""
