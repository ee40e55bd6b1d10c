"""The report of a day: made, corrected and posted."""
