#!/usr/bin/env bash
# A copy of the store, made while the server runs: backup.sh STORE DIRECTORY
# Copies are never overwritten. They hold the secrets of notification channels: encrypt
# what leaves the machine.
set -euo pipefail
umask 077
mkdir -p "$2"
mlopsctl backup --data "$1" --out "$2/mlops-$(date -u +%Y-%m-%dT%H%M%SZ).db"
