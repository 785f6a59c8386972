#!/bin/sh
export ELASTIC_IP='203.0.113.10'
exec /usr/local/bin/assign-ip "$ELASTIC_IP" "$(curl -s http://169.254.169.254/metadata/v1/id)"
