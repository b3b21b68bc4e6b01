"""siamtrack.losses."""
