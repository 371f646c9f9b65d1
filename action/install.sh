#!/usr/bin/env bash
# Installs graphcount into FOLDER with PYTHON, unless the cache had it (INSTALLED is the Python in it).
# -I: a file of the checkout called pip.py is not what is run.
set -euo pipefail

if "$INSTALLED" -I -c 'import graphcount.cli' 2>/dev/null; then exit 0; fi
"$PYTHON" -I -m venv --clear "$FOLDER"
"$INSTALLED" -I -m pip install --quiet --disable-pip-version-check "$GITHUB_ACTION_PATH"
