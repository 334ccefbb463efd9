#!/bin/sh
# Installs what Headwater needs: Java 17 where there is none, ./.venv, the locked packages, the package itself (editable).
#
#   scripts/setup.sh run    what running needs
#   scripts/setup.sh dev    that and what the tests and checks need, with the libraries that load shards in .venv-loaders and .venv-mds
#
# Done work is not done again: a stamp in .setup/ holds a checksum of the lock files and of this folder's path. Two runs at once take
# turns. An active virtual environment is ignored. HEADWATER_DRY_RUN=1 prints the system commands instead of running them, and stops.
set -eu
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIRE_VIRTUALENV PIP_CONSTRAINT 2>/dev/null || true
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
cd "$(dirname "$0")/.."
level=${1:-dev}
case $level in run | dev) ;; *) echo "setup: expected 'run' or 'dev', found '$level'" >&2 && exit 2 ;; esac

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$*" && exit 1; }

run_locks="requirements-build.txt requirements.txt requirements-nodeps.txt"
locks=$run_locks
[ "$level" = run ] || locks="$run_locks requirements-dev.txt tests/interop/requirements-loaders.txt tests/interop/requirements-mds.txt"

# Prints what the stamp must hold for an environment made from the named lock files in this folder.
checksum() { printf '%s %s\n' "$(cat "$@" pyproject.toml scripts/setup.sh | cksum)" "$PWD"; }
# shellcheck disable=SC2086  # a list of file names without spaces
wanted=$(checksum $locks)

packages_ready() { [ "$(cat ".setup/$level" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c '' 2>/dev/null; }
java_ready() { scripts/java-home.sh >/dev/null; }
packages_ready && java_ready && exit 0

# Runs a command as root: directly, or with sudo.
as_root() {
    if [ -n "${HEADWATER_DRY_RUN:-}" ]; then
        say "would run: $*"
    elif [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        fail "expected to be root or to have sudo for '$*'; run that as root, then this again"
    fi
}

# Installs the first of the named Debian packages that this system's archive has.
apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >>.setup/system.log || say "the package lists could not be refreshed; using those at hand"
    for package in "$@"; do
        if [ -n "${HEADWATER_DRY_RUN:-}" ] || [ -n "$(apt-cache madison "$package" 2>/dev/null)" ]; then
            [ -n "${HEADWATER_DRY_RUN:-}" ] || say "installing $package"
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$package" >>.setup/system.log </dev/null
            return
        fi
    done
    fail "none of the packages $* is in this system's archive; install one by hand, then run this again"
}

install_java() {
    if command -v apt-get >/dev/null; then
        apt_install openjdk-17-jre-headless openjdk-21-jre-headless
    elif command -v brew >/dev/null; then
        if [ -n "${HEADWATER_DRY_RUN:-}" ]; then say "would run: brew install openjdk@17" && return; fi
        say "installing openjdk@17"
        brew install -q openjdk@17 >>.setup/system.log </dev/null
    else
        fail "expected Java 17 or 21, found none, nor apt-get or brew to install it; install a Java 17 runtime and set JAVA_HOME"
    fi
}

# Prints the first Python 3.11 that starts and, if $1 is 'complete', can make a virtual environment with pip in it.
find_python() {
    modules=sys
    [ "$1" = complete ] && modules=venv,ensurepip
    for python in python3.11 python3 python /usr/bin/python3.11 /usr/local/bin/python3.11 /opt/homebrew/bin/python3.11 /usr/bin/python3; do
        if "$python" -c "import sys, $modules; sys.exit(sys.version_info[:2] != (3, 11))" >/dev/null 2>&1; then
            "$python" -c 'import sys; print(getattr(sys, "_base_executable", "") or sys.executable)'
            return
        fi
    done
    return 1
}

# Makes the environment $1 with the packages of the lock file $2, none of what they name; whatever else is imported comes from environment $3.
install_over() {
    rm -rf "$1"
    .venv/bin/python -m venv --without-pip "$1"
    packages=$(echo "$1"/lib/python3.11/site-packages)
    # Read when Python starts: folders named later are searched later.
    echo "import site, sys; site.addsitedir(sys.prefix + '/../$3/lib/python3.11/site-packages')" >"$packages/headwater-below.pth"
    .venv/bin/python -m pip --python "$1/bin/python" -q install --no-deps --no-compile -r "$2" >&2 </dev/null
}

install_loaders() {
    say "installing the libraries that load shards in .venv-loaders and .venv-mds"
    install_over .venv-loaders tests/interop/requirements-loaders.txt .venv
    if ! .venv-loaders/bin/python -c 'import torch' 2>/dev/null; then
        say "this build of torch needs more packages to start; installing those (some gigabytes)"
        .venv/bin/python -m pip --python .venv-loaders/bin/python -q install "$(grep '^torch==' tests/interop/requirements-loaders.txt)" >&2 </dev/null
    fi
    install_over .venv-mds tests/interop/requirements-mds.txt .venv-loaders
}

install_packages() {
    if [ "$(cat .setup/home 2>/dev/null || echo "$PWD")" != "$PWD" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        rm -rf .venv
        python=$(find_python complete) || {
            find_python any >/dev/null || fail "expected Python 3.11 as python3.11 or python3, found none; install it, then run this again"
            command -v apt-get >/dev/null || fail "expected a Python 3.11 with the modules venv and ensurepip; install them, then run this again"
            apt_install python3.11-venv
            [ -z "${HEADWATER_DRY_RUN:-}" ] || return 0
            python=$(find_python complete) || fail "Python 3.11 still has no ensurepip after installing python3.11-venv"
        }
        [ -z "${HEADWATER_DRY_RUN:-}" ] || return 0
        say "making .venv with $python"
        "$python" -m venv .venv
    fi
    [ -z "${HEADWATER_DRY_RUN:-}" ] || return 0
    printf '%s\n' "$PWD" >.setup/home
    say "installing the packages of $locks (some minutes the first time)"
    pip() { .venv/bin/python -m pip -q install "$@" >&2 </dev/null; }
    pip -r requirements-build.txt
    pip --no-build-isolation -r requirements.txt
    pip --no-deps -r requirements-nodeps.txt
    [ "$level" = run ] || pip -r requirements-dev.txt
    pip --no-deps --no-build-isolation -e .
    say "compiling the kernels (a minute or two the first time)"
    .venv/bin/python -m headwater.pipelines.annotate.compile_kernels >&2 </dev/null
    say "making the archive of Spark's classes"
    JAVA_HOME=$(scripts/java-home.sh) .venv/bin/python -m headwater.pipelines.spark.make_class_archive >/dev/null </dev/null ||
        say "Spark will start more slowly"
    [ "$level" = run ] || install_loaders
    printf '%s\n' "$wanted" >".setup/$level"
    # shellcheck disable=SC2086  # as above
    [ "$level" = run ] || checksum $run_locks >.setup/run
}

# The lock is held by this shell's open file, so it ends with the shell, however that ends.
mkdir -p .setup
exec 9>.setup/lock
python=$(find_python any) || fail "expected Python 3.11 as python3.11 or python3, found none; install it, then run this again"
"$python" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'

java_ready || install_java
packages_ready || install_packages
[ -n "${HEADWATER_DRY_RUN:-}" ] || java_ready || fail "expected a Java 17 or 21 after installing one, found none; set JAVA_HOME to it"
