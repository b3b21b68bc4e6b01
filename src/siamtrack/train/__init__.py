"""siamtrack.train."""
