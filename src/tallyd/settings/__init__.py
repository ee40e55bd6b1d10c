"""The parts of every settings class: the strict base, the types of the file, secrets, alert settings.

Secrets are resolved while the file is validated, by the `NamedFiles` in the validation context, so that a
missing key file is in the same list of problems as a misspelt key.
"""
