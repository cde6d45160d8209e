#!/usr/bin/env bash
# Runs the public end-to-end suite of Logos Delivery, as it is, with the wrapper beside this file:
#   compat/logos-delivery/e2e.sh SUITE [ARGUMENTS OF PYTEST]
# SUITE is the folder tests-e2e of a checkout of logos-messaging/logos-delivery.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd -P)
root=$(cd "$here/../.." && pwd -P)
suite=$(cd "${1:?the folder tests-e2e}" && pwd -P)
shift

# The suite pins versions that the nodes' own environment cannot have: it gets one of its own.
venv="$root/build/e2e-venv"
if [ ! -e "$venv/ready" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet -r "$suite/requirements.txt"
  # What the wrapper itself imports, as it is locked; typing_extensions stays the suite's.
  mapfile -t own < <(
    grep -oE '^(cryptography|googleapis-common-protos|grpcio|grpcio-status|protobuf)==[0-9.]+' \
      "$root/requirements.lock"
  )
  "$venv/bin/pip" install --quiet --no-deps "${own[@]}"
  touch "$venv/ready"
fi
# The native core, as it was built for the nodes.
native=$("$root/.venv/bin/python" -c 'import logos_native; print(logos_native.__path__[0])')
packages=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
ln -sfn "$native" "$packages/logos_native"

# The suite puts the folder of its bindings first, unless it is in the path: it stands last.
export PYTHONPATH
PYTHONPATH=$(printf '%s:' "$here" "$root"/libs/*/src "$root"/services/*/src)
PYTHONPATH+="$suite/vendor/logos-delivery-python-bindings/waku"
cd "$suite"
exec "$venv/bin/python" -m pytest tests/wrappers_tests -m "not docker_required" "$@"
