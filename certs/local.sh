#!/usr/bin/env bash
# Makes a CA and a server pair for a laptop or a kind cluster, and prints how to use them: certs/local.sh [HOST...]
# Without a host, for this machine; in a cluster, name the Service: certs/local.sh podfit.podfit-system.svc
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

directory=${PODFIT_CERTS:-certs/local}
podfit=(podfit)
command -v podfit >/dev/null || podfit=(cargo run --quiet --)

"${podfit[@]}" certs "$directory" ${1:+--host "$@"}

cat <<END
$directory holds ca.crt, tls.crt and tls.key, valid for a year. Serve with them, and ask for one review:

  ${podfit[*]} serve --tls-cert $directory/tls.crt --tls-key $directory/tls.key
  curl --cacert $directory/ca.crt -H 'Content-Type: application/json' \\
    --data-binary @examples/review.json https://${1:-localhost}:8443/mutate

In a cluster the pair is a Secret, and the CA the caBundle of both webhook configurations:

  kubectl -n podfit-system create secret tls podfit-tls --cert=$directory/tls.crt --key=$directory/tls.key
  base64 -w0 $directory/ca.crt
END
