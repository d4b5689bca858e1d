#!/usr/bin/env bash
# bash benchmarks/gpu.sh OUT [sim]
#
# On a machine with a GPU: installs the package, runs the kernels' tests, compute-sanitizer if it is present, and the
# suites that support devices; writes JSON files, log.txt and summary.md to the folder OUT. Takes under ten minutes:
# every part has a time limit, and no part starts once the total time (GPU_SECONDS) is used up. A failed part does not
# stop the others; the exit status tells whether all succeeded, and summary.md names the failures.
#
# With `sim` the same parts run on the device sim, without a GPU: a rehearsal, and every file says so.
#
# Needs Python 3.11 or newer (PYTHON names it) with NumPy, Numba, CuPy, PyTorch, pytest and hypothesis. No network.
set -uo pipefail

[ $# -ge 1 ] || { echo "usage: bash benchmarks/gpu.sh OUT [sim]" >&2; exit 2; }
mkdir -p "$1" && out=$(cd "$1" && pwd) || exit 2
device=${2:-cuda}
case $device in cuda | sim) ;; *) echo "gpu.sh: no device is called '$device' here; there are: cuda, sim" >&2; exit 2 ;; esac
cd "$(dirname "$0")/.." || exit 2

python=${PYTHON:-python3}
total=${GPU_SECONDS:-570}
work=$(mktemp -d)
log=$work/log.txt
parts=$work/parts.tsv # name, exit status, seconds
link=
trap '[ -z "$link" ] || rm -f "$link"; rm -rf "$work"' EXIT
export PIP_DISABLE_PIP_VERSION_CHECK=1 PYTHONUNBUFFERED=1 MINIGAN_TEST_DEVICE=$device

say() { printf '%s\n' "$*" | tee -a "$log"; }

# part NAME LIMIT COMMAND...: runs for at most LIMIT seconds, and no longer than the time left
part() {
  local name=$1 limit=$2 left=$((total - SECONDS)) begin=$SECONDS status
  shift 2
  [ "$limit" -lt "$left" ] || limit=$left
  say "== $name (at $SECONDS s, at most $limit s)"
  if [ "$limit" -gt 0 ]; then
    # no pipe, since background processes of a part would keep it open
    timeout --signal="${signal:-TERM}" --kill-after=5 "$limit" "$@" < /dev/null > "$work/said.txt" 2>&1
    status=$?
    tee -a "$log" < "$work/said.txt"
  else
    status=124
  fi
  printf '%s\t%s\t%s\n' "$name" "$status" $((SECONDS - begin)) >> "$parts"
}

installed() { # from this folder, not from another checkout
  "$python" -c 'import os, sys, minigan.kernels as k; sys.exit(not os.path.samefile(k.__path__[0], "kernels"))' 2> /dev/null
}

install() {
  if installed; then
    say "minigan is installed from this folder already"
  elif "$python" -c 'import setuptools' 2> /dev/null; then
    part install 60 "$python" -m pip install --no-build-isolation --no-deps --quiet -e .
  fi
  if ! installed; then
    say "not installed: minigan/kernels is a link to kernels until the end"
    link=minigan/kernels
    ln -s ../kernels "$link" || link=
  fi
}

# Makes each array a separate allocation: in CuPy's pool the sanitizer could not tell it from its neighbours.
sanitized="import sys, cupy, pytest; cupy.cuda.set_allocator(None); sys.exit(pytest.main(sys.argv[1:]))"
pytest_options=(-p no:cacheprovider -W default --tb=short)

sanitize() {
  local tool=$1 sanitizer
  shift
  sanitizer=$(command -v compute-sanitizer || ls /usr/local/cuda/bin/compute-sanitizer 2> /dev/null)
  if [ "$device" = sim ] || [ -z "$sanitizer" ]; then
    say "== compute-sanitizer, $tool: not present"
    printf '%s\t%s\t%s\n' "compute-sanitizer, $tool" absent 0 >> "$parts"
  else
    part "compute-sanitizer, $tool" 40 "$sanitizer" --tool "$tool" --error-exitcode 9 \
      "$python" -c "$sanitized" "${pytest_options[@]}" "$@"
  fi
}

suite() { # NAME LIMIT PEER, kept as NAME.json, or NAME-cpu.json beside the CPU
  local name=$1$([ "$3" = torch ] || echo "-$3")
  part "$name" "$2" "$python" -m benchmarks "$1" --device "$device" --peer "$3" --samples 5 --json "$out/$name.json"
}

[ "$device" = cuda ] || say "A rehearsal on the device sim: no time in this file says anything about a GPU."
rm -f "$out"/{machine,kernels,conv,step,scaling,step-cpu,conv-cpu}.json "$out"/{log.txt,summary.md}
install
part machine 60 "$python" -m benchmarks.report machine "$device" "$out/machine.json"
# without tests of the simulator on both devices; SIGINT lets pytest report what it has found
parallel=()
"$python" -c 'import xdist' 2> /dev/null && parallel=(-n auto) # each process compiles what it needs first
signal=INT part tests 120 "$python" -m pytest "${pytest_options[@]}" "${parallel[@]}" tests/cuda \
  --ignore-glob '*/test_cuda_simulator.py' --ignore-glob '*/test_cuda_sanitizers.py' \
  --ignore-glob '*/test_cuda_mutants.py' --ignore-glob '*/test_cuda_narrowed.py' --ignore-glob '*/test_cuda_large*.py'
suite step 200 torch
suite conv 80 torch
suite kernels 60 torch
tiles="order_of_blocks or plan_of_the_sizes or rounded_products" # tests of shared memory and tensor cores
sanitize memcheck tests/cuda/test_cuda_{activation,pool,matmul,conv}.py -k "activation or pool or $tiles"
sanitize racecheck tests/cuda/test_cuda_{reduce,matmul,conv}.py -k "reduce or $tiles"
suite scaling 50 torch
if [ "$device" = cuda ]; then # a rehearsal has no rivals
  suite step 60 cpu
  suite conv 60 cpu
fi
tail -c 8000000 "$log" > "$out/log.txt"
"$python" -m benchmarks.report summary "$device" "$out" "$parts"
