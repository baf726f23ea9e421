#!/usr/bin/env bash
# Makes what a server needs: set-up.sh DIRECTORY HOST [LAST-DAY]
# DIRECTORY gets the hashed tokens, and a certificate for HOST from an authority of its
# own. The tokens are printed once, as NAME=TOKEN, and work to the end of the
# last day (2027-06-30), or for ever.
set -euo pipefail
directory=$1 host=$2 until=${3:-}
umask 077
mkdir -p "$directory"
cd "$directory"

if [ ! -e server.key ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=mlops of $host" -addext 'keyUsage=critical,keyCertSign' -keyout ca.key -out ca.crt 2>/dev/null
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -CA ca.crt -CAkey ca.key \
    -subj "/CN=$host" -addext "subjectAltName=DNS:$host" -addext 'basicConstraints=critical,CA:false' \
    -addext 'keyUsage=critical,digitalSignature' -keyout server.key -out server.crt 2>/dev/null
  chmod 0644 ca.crt
fi

token() {
  printf '%s=%s\n' "$1" "$(mlopsctl token create --name "$1" --role "$2" --token-file tokens ${until:+--expires "$until"})"
}
token pull-requests plan
token deployments apply
token prometheus read
token auditors admin
