"""Whether a runtime loads a model: tables of its releases, and what follows from them.

`tables.py` reads what a release knows, `verdict.py` holds a model against it, and `process.py` asks
for that in a child process. No runtime is installed or run.
"""
