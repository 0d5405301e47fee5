"""The benches: what training and inference cost, as ratios measured in turn within one call; one file a sub-command."""
