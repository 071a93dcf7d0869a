#!/bin/bash
# Measures what many rules cost; perf/rules.sh --help.
exec /usr/bin/python3 "$(dirname "${BASH_SOURCE[0]}")/runner/rules.py" "$@"
