"""The problems of sources, files and the inbox."""
