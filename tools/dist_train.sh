#!/usr/bin/env bash
# Trains on several GPUs of one machine, or in several processes without any: dist_train.sh CONFIG GPUS [options of train.py]
set -euo pipefail
config=${1:?usage: dist_train.sh CONFIG GPUS [options of train.py]}
gpus=${2:?usage: dist_train.sh CONFIG GPUS [options of train.py]}
if [[ ! $gpus =~ ^[1-9][0-9]*$ ]]; then
  echo "error: the number of GPUs is '$gpus'; expected a whole number of at least 1" >&2
  exit 1
fi
exec torchrun --nnodes="${NNODES:-1}" --node_rank="${NODE_RANK:-0}" --master_addr="${MASTER_ADDR:-127.0.0.1}" \
  --master_port="${PORT:-29500}" --nproc_per_node="$gpus" "$(dirname "$0")/train.py" "$config" --launcher pytorch "${@:3}"
