#!/bin/bash
logger -t keepalived "PG_VIP is now $1"
