"""siamtrack.data."""
