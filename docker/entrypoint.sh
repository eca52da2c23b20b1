#!/bin/sh
# Runs earmark as the user PUID and the group PGID, never as root.
set -eu

home=${EARMARK_HOME:-/data}

if [ "$(id -u)" -ne 0 ]; then
    # Somebody chose with --user; the data folder is theirs to make writable.
    exec earmark "$@"
fi

puid=${PUID:-1000}
pgid=${PGID:-1000}
for number in "$puid" "$pgid"; do
    case $number in
    '' | *[!0-9]*)
        echo "earmark: PUID and PGID have to be numbers, not '$number'" >&2
        exit 2
        ;;
    esac
done
if [ "$puid" -eq 0 ] || [ "$pgid" -eq 0 ]; then
    echo "earmark: will not run as root; set PUID and PGID to the owner of the music" >&2
    exit 2
fi

mkdir -p "$home"
if [ "$(stat -c %u:%g "$home")" != "$puid:$pgid" ]; then
    chown -R "$puid:$pgid" "$home"
fi

# Settings are looked for in the home folder, and root's is closed to others.
export HOME="$home"
exec setpriv --reuid "$puid" --regid "$pgid" --clear-groups --no-new-privs earmark "$@"
