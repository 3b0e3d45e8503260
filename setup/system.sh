#!/bin/sh
# Debian packages: setup/system.sh tools|venv. Installs what is missing if it may, else names the command.
set -eu
missing=
need() { # need PACKAGE COMMAND-OR-FILE
    if [ "${2#/}" = "$2" ]; then
        command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
    else
        [ -e "$2" ] || missing="$missing $1"
    fi
}
case $1 in
venv) missing=python3-venv ;;
tools)
    need g++ g++
    need perl perl
    need iverilog iverilog
    need opensta sta
    need qflow-tech-osu018 /usr/share/qflow/tech/osu018/osu018_stdcells.lib
    need dataset-fashion-mnist /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz
    ;;
esac
missing=$(echo $missing)
[ -n "$missing" ] || exit 0
install="apt-get install -y --no-install-recommends $missing"
if ! command -v apt-get >/dev/null 2>&1; then
    echo "narrowgate: these Debian packages, or what your system calls them, are needed: $missing" >&2
    exit 2
elif [ "$(id -u)" = 0 ]; then
    as=
elif sudo -n true 2>/dev/null; then
    as="sudo -n"
else
    echo "narrowgate: run this once, then try again: sudo $install" >&2
    exit 2
fi
echo "setup: installing Debian packages (once): $missing"
log=$(mktemp)
if ! { $as apt-get update && DEBIAN_FRONTEND=noninteractive $as $install; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    echo "narrowgate: this failed; run it by hand to see why: $install" >&2
    exit 2
fi
rm -f "$log"
