"""One run of a job."""
