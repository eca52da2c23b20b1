#!/usr/bin/env bash
# The main job on a copy of examples/music: scan, classify, tag, undo. Nothing else is touched.
set -euo pipefail
cd "$(dirname "$0")/.."

demo=build/demo
rm -rf "$demo"
mkdir -p "$demo"
cp -R examples/music "$demo/music"
export EARMARK_HOME="$PWD/$demo/home"

step() {
    printf '\n$ %s\n' "$*"
    "$@"
}

step earmark scan "$demo/music"
step earmark classify "$demo/music/Beating That Thing.mp3" "$demo/music/Obsidian Shell"
step earmark tag "$demo/music" --apply
step earmark tag "$demo/music"
step earmark undo
diff -r examples/music "$demo/music"
printf '\nThe copy in %s is again, byte for byte, what it was.\n' "$demo/music"
