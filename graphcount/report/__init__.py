"""The Report: the versioned data that formats, gates and diffs see, and nothing else."""
