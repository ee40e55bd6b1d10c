"""`tallyd service`: tallyd as a service of systemd, from the first install to the last trace of it.

setup.sh makes a release and calls this, and so do pipx, uv and the Debian package. `uninstall.py` and what it
imports need only the standard library: setup.sh runs it from the source when nothing is installed.
"""
