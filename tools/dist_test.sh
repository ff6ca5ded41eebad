#!/usr/bin/env bash
# Evaluates on several GPUs of one machine: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]
set -euo pipefail
config=${1:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]}
checkpoint=${2:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]}
gpus=${3:?usage: dist_test.sh CONFIG CHECKPOINT GPUS [options of test.py]}
if [[ ! $gpus =~ ^[1-9][0-9]*$ ]]; then
  echo "error: the number of GPUs is '$gpus'; expected a whole number of at least 1" >&2
  exit 1
fi
exec torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" --nproc_per_node="$gpus" "$(dirname "$0")/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
