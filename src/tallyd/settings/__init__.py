"""What every settings class is made of: the strict base, the types of the file, secrets, how alerts are told.

Secrets are resolved while the file is validated, by the `NamedFiles` in the validation context, so that a
missing key file stands in the same list of problems as a misspelt key.
"""
