"""state.db and out/ together: commit first, then write."""
