#!/bin/sh
# Bundles what the console's pages take from elsewhere (tools/assets/package-lock.json) into
# src/homeport/console/assets, with hashes and licences, and axe-core for the tests: sh tools/assets.sh
#
# Needs Node 20 or newer and npm, and only whoever changes those packages needs it: the result is in the
# repository, and a test compares it with its hashes. Scripts of packages are not run. A newer version:
# npm install --prefix tools/assets --save-exact --ignore-scripts --omit-lockfile-registry-resolved NAME@VERSION
set -eu
cd "$(dirname "$0")/assets"
npm ci --ignore-scripts --no-audit --no-fund --silent
exec node build.mjs
