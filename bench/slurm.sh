#!/bin/bash
# Runs the same trainer under Hearth and under Slurm on this machine. Installs
# Debian's Slurm if it is not there, and starts one of its own for the run, with
# as many processors as the machine has and nothing of the system's touched. What
# it cannot do here it says by name. Needs what `make bench-slurm` sets up.
set -eu
cd "$(dirname "$0")/.."
skip() { echo "bench-slurm: SKIPPED: $1"; exit 0; }

[ "$(id -u)" = 0 ] || skip "Slurm's daemons need root"
if ! command -v slurmctld slurmd munged >/dev/null; then
  command -v apt-get >/dev/null || skip "no Slurm here, and no apt-get to install it with"
  echo "installing Debian's Slurm"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends slurmctld slurmd slurm-client munge; } >/dev/null 2>&1 ||
    skip "Debian's packages slurmctld, slurmd, slurm-client and munge cannot be installed"
fi

dir=$(mktemp -d /tmp/hearth-slurm.XXXXXX)
end() {
  for daemon in slurmd slurmctld munge; do
    pid=$(cat "$dir/$daemon.pid" 2>/dev/null) || continue
    kill "$pid" 2>/dev/null && tail --pid="$pid" -f /dev/null
  done
  rm -rf "$dir"
}
trap end EXIT
chmod 755 "$dir"
mkdir -m 711 "$dir/munge"
head -c 1024 /dev/urandom >"$dir/key"
chmod 600 "$dir/key"
munged --key-file="$dir/key" --socket="$dir/munge/socket" --pid-file="$dir/munge.pid" --log-file="$dir/munge.log" --seed-file="$dir/seed" --force
host=$(hostname)
# What is not default here spares Slurm's pauses between two rounds of scheduling.
cat >"$dir/slurm.conf" <<END
ClusterName=bench
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,bf_interval=1
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
mkdir "$dir/state" "$dir/spool"
export SLURM_CONF=$dir/slurm.conf
slurmctld -c
slurmd
for _ in $(seq 100); do
  sinfo -h -o %t 2>/dev/null | grep -q idle && break
  sleep 0.1
done
sinfo -h -o %t | grep -q idle || { tail -n 20 "$dir"/slurm*.log; echo "bench-slurm: the node of this Slurm does not become idle"; exit 1; }
sbatch --version
HEARTH_BENCH_SLURM=$dir go test -run '^$' -bench Slurm -benchtime 1x -timeout 20m ./tests/
