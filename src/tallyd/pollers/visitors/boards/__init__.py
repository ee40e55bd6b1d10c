"""What people are shown of visitors: boards and metrics."""
