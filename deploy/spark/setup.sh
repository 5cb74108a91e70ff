#!/usr/bin/env bash
# Puts Spark and Beam's runner for it into .venv/share/altiplano/spark: `make spark`. A second run does nothing.
# Java 17 and Maven are installed with apt-get where we are root; arguments go to Maven (see pom.xml).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly home=.venv/share/altiplano/spark log=.venv/spark.log
readonly finished=$home/.finished

fail() {
  printf '%s\n' "make spark: $*" >&2
  exit 2
}

wanted=$(cat deploy/spark/pom.xml deploy/spark/setup.sh <(printf '%s ' "$@") | sha256sum | cut -d' ' -f1)
if [[ -f $finished && $(<"$finished") == "$wanted" ]] && command -v java >/dev/null; then exit 0; fi

packages=()
command -v java >/dev/null || packages+=(openjdk-17-jre-headless)
command -v mvn >/dev/null || packages+=(maven)
if ((${#packages[@]})); then
  advice="apt-get update && apt-get install --yes --no-install-recommends ${packages[*]}"
  ((EUID == 0)) || fail "${packages[*]} missing: sudo sh -c '$advice'"
  command -v apt-get >/dev/null || fail "missing, named for Debian: ${packages[*]}"
  DEBIAN_FRONTEND=noninteractive bash -c "$advice" >"$log" 2>&1 </dev/null || fail "could not install ${packages[*]}. Log: $log"
fi

printf 'Fetching Spark and its Beam runner: 300 MB, once (log: %s)\n' "$log"
rm -rf "$home"
mvn --batch-mode --no-transfer-progress --file deploy/spark/pom.xml "$@" \
  dependency:copy-dependencies -DoutputDirectory="$PWD/$home/jars" >"$log" 2>&1 </dev/null ||
  fail "Maven failed: $(grep -m 1 'ERROR' "$log" | cut -c1-300). Log: $log"
printf '%s\n' "$wanted" >"$finished"
printf 'Ready after %d s.\n' "$SECONDS"
