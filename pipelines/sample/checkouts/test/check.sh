#!/bin/sh
# Copyright (c) 2022 the Altiplano project
# Licensed under the MIT licence; see the file LICENSE.
#
# A harbour with a single constituent turns exactly twice in each of its periods: that can be checked by hand.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat > "$folder/plain.txt" <<HARBOUR
Plain Harbour
2.0
M2 30.0 1.5 0.0
HARBOUR

./tides "$folder/plain.txt" 0 > "$folder/said"

turns=$(grep -c '^turns at' "$folder/said")
if [ "$turns" -ne 4 ]; then
    echo "a day of twelve-hour tides has four turns, not $turns" >&2
    exit 1
fi
if ! grep -q '^00:00   3.50 m' "$folder/said"; then
    echo "at the epoch the water stands highest" >&2
    exit 1
fi
echo "the tide turns when it should"
