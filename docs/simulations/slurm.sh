#!/bin/sh
# A sweep in 8 parts on a Slurm cluster: sbatch slurm.sh SCENARIO.toml DIRECTORY
# Slurm tells each task its index in SLURM_ARRAY_TASK_ID. The directory is on a file
# system that all nodes share. When the array is done:
#
#   lightcone sim merge DIRECTORY
#
#SBATCH --job-name=lightcone-sweep
#SBATCH --array=0-7
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --time=04:00:00
set -eu
exec lightcone sim run "$1" --shard 8 --out "$2" --workers "${SLURM_CPUS_PER_TASK:-0}"
