#!/bin/bash
# Starts a standalone Spark cluster inside a Slurm allocation, a worker a node, and submits a script to it:
#
#   sbatch --nodes=4 --cpus-per-task=32 --mem=120G jobs/slurm.sh jobs/run_job.py /shared/lake ling-flash-2 --input /shared/raw
#
# What stands before the script goes to spark-submit, what follows it to the script. Run it where `python` and `spark-submit` are those of an environment
# with Headwater that all nodes see under the same path, from a folder that all nodes see. The exit code is that of spark-submit.
#
#SBATCH --job-name=headwater
#SBATCH --ntasks-per-node=1
#SBATCH --open-mode=append
#
# Settings, all with defaults:
#   HEADWATER_EXECUTOR_MB   heap of a node's executor, in MiB; a quarter of the node's share, at least 1024. Python workers need the rest.
#   SPARK_LOCAL_DIRS        local disk for shuffles; TMPDIR, or /tmp.
#   SPARK_CONF_DIR          folder whose spark-defaults.conf holds further settings.
set -euo pipefail
umask 077

fail() { echo "slurm.sh: $*" >&2 && exit 2; }
[ -n "${SLURM_JOB_ID:-}" ] || fail "expected to run inside an allocation, as sbatch or srun give one; SLURM_JOB_ID is not set"
[ $# -gt 0 ] || fail "expected a script and its arguments, found none: sbatch jobs/slurm.sh jobs/run_job.py LAKE RECIPE --input RAW"
command -v spark-submit >/dev/null || fail "expected spark-submit on the PATH, found none; activate the environment with headwater[spark]"

cores=${SLURM_CPUS_PER_TASK:-${SLURM_CPUS_ON_NODE:-1}}
share_mb=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-0} * cores))}
[ "$share_mb" -gt 0 ] || share_mb=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
heap_mb=${HEADWATER_EXECUTOR_MB:-$((share_mb / 4 > 1024 ? share_mb / 4 : 1024))}
local=${SPARK_LOCAL_DIRS:-${TMPDIR:-/tmp}}

# Settings, logs and the secret of this cluster: a folder that all nodes see and this user alone reads. The nodes' network is others' too, so that
# whoever speaks to master, workers and executors must know the secret.
folder=$PWD/headwater-$SLURM_JOB_ID
mkdir "$folder" "$folder/conf" "$folder/work"
if [ -n "${SPARK_CONF_DIR:-}" ]; then cp -rL "$SPARK_CONF_DIR"/. "$folder/conf"; fi
secret=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \n')
printf '\nspark.authenticate true\nspark.authenticate.secret %s\nspark.network.crypto.enabled true\n' "$secret" >>"$folder/conf/spark-defaults.conf"
export SPARK_CONF_DIR=$folder/conf SPARK_LOCAL_DIRS=$local SPARK_DAEMON_MEMORY=${SPARK_DAEMON_MEMORY:-512m}

master_pid='' workers_pid=''
# shellcheck disable=SC2317  # the trap calls it
finish() {
    for pid in $workers_pid $master_pid; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$folder/conf"
}
trap finish EXIT
trap 'exit 143' TERM

host=${SLURMD_NODENAME:-$(hostname)}
spark-class org.apache.spark.deploy.master.Master --host "$host" --port 0 --webui-port 0 >"$folder/master.log" 2>&1 &
master_pid=$!
for _ in $(seq 600); do
    master=$(sed -n 's/.*Starting Spark master at \(spark:\/\/[^ ]*\).*/\1/p' "$folder/master.log")
    [ -z "$master" ] || break
    kill -0 "$master_pid" 2>/dev/null || break
    sleep 0.1
done
[ -n "${master:-}" ] || { tail -n 20 "$folder/master.log" >&2 && fail "the master did not start; what it said stands above"; }

srun --nodes="${SLURM_JOB_NUM_NODES:-1}" --ntasks-per-node=1 --cpus-per-task="$cores" --output="$folder/worker-%n.log" --export=ALL \
    spark-class org.apache.spark.deploy.worker.Worker --cores "$cores" --memory "${heap_mb}m" --webui-port 0 --work-dir "$folder/work" "$master" &
workers_pid=$!

echo "slurm.sh: $master, ${SLURM_JOB_NUM_NODES:-1} node(s) of $cores core(s), executors of $heap_mb MiB; logs in $folder" >&2
spark-submit --master "$master" --conf "spark.executor.memory=${heap_mb}m" "$@" &
submit_pid=$!
code=0
wait "$submit_pid" || code=$?
exit "$code"
