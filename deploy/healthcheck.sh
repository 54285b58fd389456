#!/bin/bash
# Is the service in this container ready? Bash opens the connection itself: starting a node for every
# check would cost a fleet of twelve containers some percent of a core.
port=${METRICS_PORT:-9090}
[ "$port" != disabled ] || port=${HTTP_PORT:-8080}
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /health/ready HTTP/1.0\r\n\r\n' >&3
read -r _ status _ <&3
[ "$status" = 200 ]
