#!/bin/sh
# This node's own server, not the balancer: a failure says something about this node.
exec curl -sfk --max-time 1 https://192.0.2.12:6443/readyz -o /dev/null
