#!/bin/sh
# Installs other gateways to compare with, into bench/.peers; they are never a dependency of Homeport.
#   sh bench/peers.sh [litellm] [portkey]      without a name: both
set -eu
cd "$(dirname "$0")/.."
PORTKEY=1.15.2
PORTKEY_INTEGRITY="sha512-OuwwQEJ0rnKQuPgaCqyMpP+X5Uly2h9EBDm5Lx/NYu9MXTzB/nKrKgjd8J3vPGeNpYoyxTzKSzTV2tGv8Dd+fg=="

# 1.106.2, with hashes: 1.82.7, 1.82.8 and 1.107.0 were malicious.
litellm() {
    .uv/bin/uv venv -q --clear bench/.peers/litellm
    .uv/bin/uv pip sync -q --python bench/.peers/litellm/bin/python --require-hashes --only-binary :all: bench/peers/litellm.txt
    echo "litellm is installed"
}

portkey() {
    command -v npm >/dev/null 2>&1 || { echo "Portkey needs Node and npm." >&2; return 1; }
    mkdir -p bench/.peers/portkey
    cd bench/.peers/portkey
    file=$(npm pack --silent "@portkey-ai/gateway@$PORTKEY")
    found="sha512-$(openssl dgst -sha512 -binary "$file" | openssl base64 -A)"
    [ "$found" = "$PORTKEY_INTEGRITY" ] || { echo "$file is not the expected one: $found" >&2; exit 1; }
    npm install --silent --no-audit --no-fund --no-package-lock --ignore-scripts "./$file"
    cd ../../..
    echo "portkey is installed"
}

for peer in "${@:-litellm portkey}"; do
    for each in $peer; do
        case $each in
            litellm | portkey) $each ;;
            *) echo "unknown peer: $each" >&2; exit 2 ;;
        esac
    done
done
