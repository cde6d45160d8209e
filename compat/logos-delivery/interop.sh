#!/usr/bin/env bash
# Runs the public interoperability suite of Logos Delivery, as it is, against the image of our node:
#   compat/logos-delivery/interop.sh SUITE [--missing] [ARGUMENTS OF PYTEST]
# SUITE is a checkout of logos-messaging/logos-delivery-interop-tests. With --missing, only what is
# not in interop-passing.txt; what passes is added there. The suite names the image by itself. It
# takes an hour and an engine that nothing else uses: its tests wait 0.1 s for a message.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
suite=$(cd "${1:?a checkout of the suite}" && pwd -P)
shift
image=wakuorg/nwaku:latest
passing="$here/interop-passing.txt"
results="$root/build/interop.xml"

venv="$root/build/interop-venv"
if [ ! -e "$venv/ready" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r "$suite/requirements.txt"
  touch "$venv/ready"
fi
DOCKER_BUILDKIT=1 docker build --quiet -f "$root/deploy/Dockerfile" --target compat -t "$image" "$root"

# The suite leaves containers behind where it is interrupted.
trap 'docker ps --all --quiet --filter "ancestor=$image" | xargs --no-run-if-empty docker rm --force > /dev/null' EXIT
cd "$suite"
export NODE_1=$image NODE_2=$image ADDITIONAL_NODES=$image,$image,$image
chosen=()
if [ "${1:-}" = --missing ]; then
  shift
  mapfile -t chosen < <(
    "$venv/bin/python" -m pytest tests --collect-only -q 2> /dev/null | grep :: | grep -vxFf "$passing"
  )
  if [ "${#chosen[@]}" -eq 0 ]; then echo "nothing is missing"; exit 0; fi
fi
rm -f "$results"
status=0
"$venv/bin/python" -m pytest --junitxml "$results" "$@" "${chosen[@]}" || status=$?
# What passed is listed also where other tests failed; the exit code stays that of the tests.
if [ -e "$results" ]; then "$venv/bin/python" "$here/interop_passing.py" "$results" "$passing"; fi
exit "$status"
