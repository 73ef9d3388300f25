#!/usr/bin/env python3
"""An experiment in parts on a Dask cluster: dask_parts.py OUT PARTS FILE [OPTION OF `slotscope lab`]...

Prints the report of the whole. Without --scheduler (an address, as DASK_SCHEDULER) it starts 4 workers of its own on
this machine. OUT must be a folder that all workers see. A worker that dies loses nothing: Dask gives its part to
another, which goes on with the trials that are in the folder.
Needs: pip install "dask[distributed]"; slotscope on PATH, or its path in SLOTSCOPE.
"""
import os
import signal
import subprocess
import sys
import time

from dask.distributed import Client, LocalCluster, as_completed

SLOTSCOPE = os.environ.get("SLOTSCOPE", "slotscope")


def part(index, parts, out, words):
    """Runs one part to its end, in a process that ends with this worker."""
    command = [SLOTSCOPE, "lab", *words, "--threads", "1", "--shard", f"{index}/{parts}"]
    command += ["--out", os.path.join(out, f"part-{index}"), "--resume"]
    # A worker that is killed must not leave its part running beside the one that takes over.
    child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command])
    code = child.wait()
    if code != 0:
        raise RuntimeError(f"part {index} ended with {code}")
    return index


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, parts, words = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    os.makedirs(out, exist_ok=True)
    scheduler = os.environ.get("DASK_SCHEDULER")
    cluster = scheduler or LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None)
    with Client(cluster) as client:
        jobs = [client.submit(part, i, parts, out, words, pure=False, retries=3) for i in range(parts)]
        if os.environ.get("KILL_A_WORKER"):  # for the test of this file: kill one that has begun
            time.sleep(float(os.environ["KILL_A_WORKER"]))
            pids = client.run(os.getpid)
            os.kill(next(iter(pids.values())), signal.SIGKILL)
            print("killed a worker", file=sys.stderr)
        for job in as_completed(jobs):
            job.result()
    if not scheduler:
        cluster.close()
    folders = [os.path.join(out, f"part-{i}") for i in range(parts)]
    sys.exit(subprocess.run([SLOTSCOPE, "lab", "merge", *folders]).returncode)


if __name__ == "__main__":
    main()
