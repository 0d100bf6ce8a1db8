"""What every room stands on: records, errors, configuration, files, locks, compute."""
