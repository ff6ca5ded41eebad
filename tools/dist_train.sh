#!/usr/bin/env bash
# Trains on several GPUs of one machine, or in several processes on its CPU: dist_train.sh CONFIG GPUS [options of train.py]
set -euo pipefail
config=${1:?usage: dist_train.sh CONFIG GPUS [options of train.py]}
gpus=${2:?usage: dist_train.sh CONFIG GPUS [options of train.py]}
if ! python=$(command -v python || command -v python3); then
  echo 'error: there is no python; activate the environment in which the project is installed' >&2
  exit 1
fi
tools=$(dirname "$0")
exec "$python" "$tools/run_processes.py" "$gpus" "$tools/train.py" "$config" --launcher pytorch "${@:3}"
