"""What people are shown of targets: boards and metrics."""
