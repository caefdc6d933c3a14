#!/bin/sh
# Installs requirements/LOCK.txt and this checkout into .venv: sh tools/install.sh run|dev
# Or, for an example, the lock in its folder into a .venv there: sh tools/install.sh examples/NAME
#
# Needs Python 3.11 or newer: no compiler, no uv, no activated environment. As root on Debian
# and Ubuntu it adds python3-pip and libgomp1 where they are missing; elsewhere it asks for them.
# Only wheels whose hashes stand in requirements/ are installed. Mirrors: what pip is told, by
# pip.conf or PIP_INDEX_URL, PIP_CERT, PIP_NO_INDEX and PIP_FIND_LINKS, uv is told too;
# UV_DEFAULT_INDEX and SSL_CERT_FILE win.
set -eu
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

case $1 in
*/*) lock=$1/requirements.txt venv=$1/.venv ;;
*) lock=requirements/$1.txt venv=.venv ;;
esac
good_python='import sys; sys.exit(sys.version_info < (3, 11))'

is_a_person() {
    [ -t 1 ] && [ -z "${CI:-}" ]
}

say() {
    if is_a_person && [ -z "${NO_COLOR:-}" ]; then
        printf '\033[36m▸\033[0m %s\n' "$*"
    else
        printf '%s\n' "$*"
    fi
}

stop() {
    printf 'Homeport cannot be installed here: %s\n' "$*" >&2
    exit 1
}

find_python() {
    for python in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
        if [ -n "$python" ] && "$python" -c "$good_python" >/dev/null 2>&1; then
            return
        fi
    done
    stop "no Python 3.11 or newer was found." \
        "Install one, or name it: make PYTHON=/path/to/python3 ..."
}

find_pip() {
    for pip_python in "$python" python3 /usr/bin/python3; do
        if "$pip_python" -m pip --version >/dev/null 2>&1; then
            return
        fi
    done
    return 1
}

on_debian_as_root() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null
}

add_from_debian() {
    export DEBIAN_FRONTEND=noninteractive
    words=$(apt-get update -qq 2>&1 && apt-get install -qq -y --no-install-recommends "$1" 2>&1) && return
    printf '%s\n' "$words" >&2
    return 1
}

# A Python without pip: its own bundled pip, or, for root on Debian and Ubuntu, the system's.
make_pip() {
    if "$python" -m venv .uv.new/pip >/dev/null 2>&1; then
        pip_python=.uv.new/pip/bin/python
    elif on_debian_as_root; then
        say "$python has no pip: installing Debian's python3-pip"
        { add_from_debian python3-pip && find_pip; } || stop "apt-get could not install python3-pip; its words are above."
    else
        stop "$python has no pip." \
            "Install it (Debian, Ubuntu: sudo apt-get install python3-pip; Fedora: sudo dnf install python3-pip) and run make again."
    fi
}

install_uv() {
    if cmp -s requirements/uv.txt .uv/uv.txt && .uv/bin/uv --version >/dev/null 2>&1; then
        return
    fi
    say "Installing $(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' requirements/uv.txt), which installs the rest"
    rm -rf .uv.new
    if command -v uv >/dev/null && ! find_pip; then
        uv pip install -q --python "$python" --target .uv.new --require-hashes -r requirements/uv.txt
    else
        find_pip || make_pip
        "$pip_python" -m pip install -q --target .uv.new \
            --require-hashes --only-binary :all: --no-deps -r requirements/uv.txt
    fi
    rm -rf .uv.new/pip
    cp requirements/uv.txt .uv.new/uv.txt
    rm -rf .uv && mv .uv.new .uv
}

# pip_says NAME: what pip was told, by its environment or its files.
pip_says() {
    eval "told=\${PIP_$(printf %s "$1" | tr 'a-z-' 'A-Z_'):-}"
    [ -n "$told" ] || told=$("$pip_python" -m pip config get "global.$1" 2>/dev/null) || told=""
    printf %s "$told"
}

# What pip was told about this site, told to uv; what uv was told already stands.
use_the_mirror_of_pip() {
    find_pip || return 0
    index=$(pip_says index-url) cert=$(pip_says cert) no_index=$(pip_says no-index)
    if [ -n "$index" ] && [ -z "${UV_DEFAULT_INDEX:-}${UV_INDEX_URL:-}" ]; then
        export UV_DEFAULT_INDEX="$index"
    fi
    if [ -n "$cert" ] && [ -z "${SSL_CERT_FILE:-}" ]; then
        export SSL_CERT_FILE="$cert"
    fi
    case $no_index in
    '' | 0 | false | no) ;;
    *) only_here="--no-index" UV_FIND_LINKS=$(pip_says find-links) && export UV_FIND_LINKS ;;
    esac
}

install_packages() {
    # The one-week cool-down belongs to making a lock. Installing one must not ask for
    # upload dates, which many mirrors do not keep.
    export UV_EXCLUDE_NEWER=false UV_PYTHON_DOWNLOADS=never
    if ! "$venv/bin/python" -c "$good_python" >/dev/null 2>&1; then
        .uv/bin/uv venv -q --clear --python "$python" "$venv"
    fi
    say "Installing the packages of $lock"
    # Bytecode is made now, also where PYTHONDONTWRITEBYTECODE is set: every start would make it anew there.
    .uv/bin/uv pip sync $(is_a_person || echo -q) ${only_here:-} --compile-bytecode \
        --require-hashes --only-binary :all: --python "$venv" "$lock"
}

install_this_checkout() {
    .uv/bin/uv pip install -q --offline --no-deps --no-build-isolation --python .venv --editable .
    .venv/bin/python -m compileall -q src
}

# The one library that the engine of the embedded model expects of the system.
find_openmp() {
    if .venv/bin/python -c 'import xllamacpp' >/dev/null 2>&1; then
        return
    elif on_debian_as_root && say "Installing Debian's libgomp1 for the embedded model" && add_from_debian libgomp1; then
        return
    fi
    printf '%s\n' "The embedded model needs the OpenMP library of GCC, which is not here." \
        "Install it (Debian, Ubuntu: sudo apt-get install libgomp1; Fedora: sudo dnf install libgomp)," \
        "or go without: make up ARGS=--no-embedded" >&2
}

find_python
install_uv
use_the_mirror_of_pip
install_packages
if [ "$venv" = .venv ]; then
    install_this_checkout
    find_openmp
fi
