"""The commands: wiring, output, exit codes. What only one command needs is imported inside it."""
