"""Exits with 0 if the app of this container answers. Runs alone, without the app's packages."""

import http.client
import os
import sys

port = int(os.environ["LOGOS_LISTEN"].rpartition(":")[2])
public = os.environ.get("LOGOS_APP_PUBLIC_PORT", str(port))
host = os.environ.get("LOGOS_APP_HOST") or f"{os.environ['LOGOS_APP_TESTNET']}.localhost"
connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
connection.request("GET", "/healthz", headers={"Host": f"{host}:{public}"})
sys.exit(connection.getresponse().status != http.HTTPStatus.OK)
