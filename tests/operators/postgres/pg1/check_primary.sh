#!/bin/bash
# 0 when this node's PostgreSQL is the primary
[ "$(psql -XAtc 'select pg_is_in_recovery()' postgres)" = "f" ]
