#!/bin/sh
# Starts vLLM on 127.0.0.1:$PORT with the key $KEY; further flags are passed on.
set -eu
cd "$(dirname "$0")"
# In the environment, where no list of processes shows it, as on a command line.
export VLLM_API_KEY="${KEY:?}"
# Nothing is looked up or reported outside.
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1
# GiB for the keys and values of open requests; one thread a core, wherever the system puts it.
export VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-$(nproc)}"
export LD_PRELOAD="$PWD/.venv/lib/libiomp5.so"
# The command `vllm` asks for a package of that name and does not find vllm-cpu: hence the module.
# In float32, since a CPU without AVX-512 takes several times as long in bfloat16.
exec .venv/bin/python -W ignore -m vllm.entrypoints.openai.api_server \
    --model .venv/model --served-model-name smollm2 --dtype float32 \
    --host 127.0.0.1 --port "${PORT:-8000}" \
    --max-model-len 2048 --max-num-seqs 8 --enforce-eager \
    --enable-log-requests --enable-request-id-headers "$@"
