#!/bin/bash
# ready.sh MODEL...: succeeds if the TensorFlow Serving on this machine has an available version of every model named.
# The status code does not tell: a model's page answers 200 for versions that have ended or failed too.
# The image has no curl; bash opens the port itself. HTTP/1.0, so that the server closes the connection.
[ $# -gt 0 ] || exit 2
for model in "$@"; do
  exec 3<>"/dev/tcp/127.0.0.1/${REST_PORT:-8501}" || exit 1
  printf 'GET /v1/models/%s HTTP/1.0\r\n\r\n' "$model" >&3
  grep -q '"state": "AVAILABLE"' <&3 || exit 1
  exec 3>&-
done
