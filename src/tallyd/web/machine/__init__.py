"""What programs read: metrics, the API, the health check."""
