#!/bin/sh
# LocalStack starts DynamoDB Local as an archive that names its own libraries, with an
# agent it downloads. What comes from Maven is a folder of archives and needs no agent.
count=$#
while [ "$count" -gt 0 ]; do
  word=$1
  shift
  count=$((count - 1))
  case $word in
    -javaagent:*) ;;
    -jar)
      shift
      count=$((count - 1))
      set -- "$@" -cp "$DYNAMODB_JARS/*" software.amazon.dynamodb.services.local.main.ServerRunner
      ;;
    *) set -- "$@" "$word" ;;
  esac
done
# No file in the system's temporary folder, and a quick start rather than a fast run.
exec "$DYNAMODB_JAVA" -XX:-UsePerfData -XX:TieredStopAtLevel=1 -Djava.io.tmpdir="$TMPDIR" "$@" -disableTelemetry
