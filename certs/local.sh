#!/usr/bin/env bash
# Makes a CA and a server pair for a laptop or a kind cluster, and prints how to use them: certs/local.sh [HOST...]
# The names default to those of this machine; in kind, name the Service: podfit.podfit.svc
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

directory=${PODFIT_CERTS:-certs/local}
hosts=("$@")
if (($# == 0)); then
    hosts=(localhost 127.0.0.1)
fi

podfit=(podfit)
command -v podfit >/dev/null || podfit=(cargo run --quiet --)

arguments=()
for host in "${hosts[@]}"; do
    arguments+=(--host "$host")
done
"${podfit[@]}" certs "$directory" "${arguments[@]}"

cat <<END

Serve with the pair, and ask for one review:

  ${podfit[*]} serve --tls-cert $directory/tls.crt --tls-key $directory/tls.key
  curl --cacert $directory/ca.crt -H 'Content-Type: application/json' \\
    --data-binary @examples/review.json https://${hosts[0]}:8443/mutate

In a cluster, the pair is a Secret, and the CA the caBundle of both webhook configurations:

  kubectl -n podfit create secret tls podfit --cert=$directory/tls.crt --key=$directory/tls.key
  base64 -w0 $directory/ca.crt
END
