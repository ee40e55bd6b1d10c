"""A connection to the database: its driver and limits, its transactions, and its errors in our own words."""
