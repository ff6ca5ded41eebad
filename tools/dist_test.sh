#!/usr/bin/env bash
# Evaluates on several GPUs of one machine: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
set -euo pipefail
config=${1:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]}
checkpoint=${2:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]}
gpus=${3:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]}
if ! python=$(command -v python || command -v python3); then
  echo 'error: there is no python; activate the environment in which the project is installed' >&2
  exit 1
fi
tools=$(dirname "$0")
exec "$python" "$tools/run_processes.py" "$gpus" "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
