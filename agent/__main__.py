"""``python -m agent``: the ``voxcurate`` command where only a Python is known, as in jobs."""

from agent.cli.main import main

main()
