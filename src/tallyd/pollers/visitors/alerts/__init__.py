"""What is wrong with sources, files and the inbox."""
