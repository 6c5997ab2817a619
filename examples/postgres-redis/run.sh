#!/bin/sh
# Runs this example as ../postgres/run.sh runs its own. It needs redis-server too.
exec "$(dirname "$0")/../postgres/run.sh" "$(dirname "$0")"
