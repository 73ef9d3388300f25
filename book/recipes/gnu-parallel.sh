#!/bin/sh
# An experiment in PARTS parts with GNU parallel: on this machine, or on many that share a folder (--sshlogin).
#   gnu-parallel.sh OUT PARTS FILE [OPTION OF `slotscope lab`]...
# prints the report of the whole. A part that is killed is started again and goes on with the trials that it has.
set -eu
[ $# -ge 3 ] || { sed -n '2,4s/^# \{0,1\}//p' "$0" >&2; exit 2; }
out=$1
parts=$2
shift 2
SLOTSCOPE=${SLOTSCOPE:-slotscope}
mkdir -p "$out"
seq 0 $((parts - 1)) |
    parallel --quote --retries 3 --halt soon,fail=1 \
        "$SLOTSCOPE" lab "$@" --threads 1 --shard "{}/$parts" --out "$out/part-{}" --resume
"$SLOTSCOPE" lab merge "$out"/part-*
