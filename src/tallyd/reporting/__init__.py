"""Reports of what is stored: for `tallyd report`, and those that come by themselves."""
