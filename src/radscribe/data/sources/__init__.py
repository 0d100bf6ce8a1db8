"""The raw sources: each module turns what people have on their disks into studies to prepare."""
