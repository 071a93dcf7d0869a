#!/bin/bash
# Measures how long the inspector takes to start; perf/startup.sh --help.
exec /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/runner/startup.py" "$@"
