"""How secrets and personal data are found in text."""
