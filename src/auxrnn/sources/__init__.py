"""Where sequences come from: published sets and a person's own files, read one at a time, handed to training.

- Published sets: `presets` names them (no torch), `published` loads, fetches and verifies them by name; `pixels`,
  `cifar`, `dogs` and `dbpedia` read one each; `downloads` and `archives` get their files.
- Files of one's own: `recognise` finds the `reader` for a path; `texts`, `series`, `longform`, `file_lists` (of
  `media`), `class_folders`, `arrays` and `archive` are one each; `label_columns` finds the columns of labels, which the
  target reads and numbers; `tables` are `delimited` or `columnar`.
- `collect` checks examples and writes them flat; `stored` is the form on the disk, `importing` makes it; `loading`
  splits and prepares them, `findings` tells what was found; `unlabelled` and `inputs` read what is to be predicted
  from, `feeds` what comes step by step.
- `dataset` is what training takes; `splits` is the one place where subsets are drawn.

Nothing here knows of models, losses or training.
"""
