#!/bin/sh
# Installs what the benchmark needs from Debian's packages (gcc, nginx) where missing, builds its two C programs,
# and unpacks HAProxy for the tests of proxies.
set -eu
cd "$(dirname "$0")"

missing=""
command -v gcc >/dev/null 2>&1 && [ -e /usr/include/stdio.h ] || missing="gcc libc6-dev"
[ -x /usr/sbin/nginx ] || command -v nginx >/dev/null 2>&1 || missing="$missing nginx"

if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "The benchmark needs: $missing. As root on Debian or Ubuntu: apt-get install --no-install-recommends $missing" >&2
        exit 1
    fi
    # nginx is a program here, not a service: nothing may start it on port 80.
    policy=/usr/sbin/policy-rc.d
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        trap 'rm -f "$policy"' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >&2
    # shellcheck disable=SC2086  # a list of packages
    apt-get install -q -y --no-install-recommends $missing >&2
fi

mkdir -p .build
for program in upstream load; do
    if [ ! -x ".build/$program" ] || [ "$program.c" -nt ".build/$program" ]; then
        gcc -O2 -std=gnu11 -Wall -Wextra -o ".build/$program" "$program.c"
    fi
done

# HAProxy and its libraries are unpacked, not installed: no service starts, and nobody needs to be root.
if ! command -v haproxy >/dev/null 2>&1 && [ ! -x .build/haproxy/usr/sbin/haproxy ]; then
    packages="haproxy liblua5.3-0 libopentracing-c-wrapper0 libopentracing1"
    mkdir -p .build/haproxy/packages
    if command -v apt-get >/dev/null 2>&1 && (
        cd .build/haproxy/packages
        # shellcheck disable=SC2086  # a list of packages
        apt-get download -q $packages >&2 || { apt-get update -q >&2 && apt-get download -q $packages >&2; }
    ); then
        for package in .build/haproxy/packages/*.deb; do
            dpkg -x "$package" .build/haproxy
        done
    else
        echo "HAProxy could not be fetched ($packages): the tests of proxies will be skipped." >&2
    fi
fi
