#!/usr/bin/env python3
"""An IMDS impersonator for the lab: serves IMDSv1 and IMDSv2 over IPv4 and IPv6.

It answers as an instance would, closely enough for the AWS CLI, botocore, cloud-init and curl to
believe it. Every secret it hands out is made up and starts with FAKE-, so that a test can search
outputs for it. Requests are logged as JSON lines (time, client, method, target, headers, status)
so that a test can compare what was asked with what the inspector reported.

  fake_imds.py --listen 169.254.169.254:80 --listen '[fd00:ec2::254]:80' --log requests.jsonl

Modes (--mode): both (default); v1 (PUT answers 403, so clients fall back to IMDSv1);
v2 (a GET without token answers 401, as an instance with HttpTokens=required).
"""

import argparse
import json
import os
import socket
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ROLE = "lab-impersonator-role"
ACCOUNT = "029608264753"
ACCESS_KEY_ID = "ASIAQNZGKIQY56JQ7WML"  # a published example, encodes ACCOUNT
SECRET_ACCESS_KEY = "FAKE-SECRET-ACCESS-KEY-0123456789abcdefgh"
SESSION_TOKEN = "FAKE-SESSION-TOKEN-0123456789abcdefghijklmnopqrstuvwxyz=="
USER_DATA = "#!/bin/sh\n# FAKE-USER-DATA\nexport DB_PASSWORD=FAKE-PASSWORD-hunter2\n"
TOKEN_PREFIX = "FAKE-IMDS-TOKEN-"
MAX_TTL_SECONDS = 21600

CREDENTIALS = {
    "Code": "Success",
    "LastUpdated": "2025-10-08T12:00:00Z",
    "Type": "AWS-HMAC",
    "AccessKeyId": ACCESS_KEY_ID,
    "SecretAccessKey": SECRET_ACCESS_KEY,
    "Token": SESSION_TOKEN,
    "Expiration": "2099-01-01T00:00:00Z",
}

IDENTITY = {
    "accountId": ACCOUNT,
    "architecture": "x86_64",
    "availabilityZone": "eu-central-1a",
    "imageId": "ami-0123456789abcdef0",
    "instanceId": "i-0123456789abcdef0",
    "instanceType": "m5.large",
    "pendingTime": "2025-10-08T12:00:00Z",
    "privateIp": "10.77.0.10",
    "region": "eu-central-1",
    "version": "2017-09-30",
}

LEAVES = {
    "meta-data": "ami-id\nhostname\niam/\ninstance-id\nlocal-ipv4\nplacement/",
    "meta-data/ami-id": "ami-0123456789abcdef0",
    "meta-data/hostname": "ip-10-77-0-10.eu-central-1.compute.internal",
    "meta-data/instance-id": "i-0123456789abcdef0",
    "meta-data/local-ipv4": "10.77.0.10",
    "meta-data/placement": "availability-zone\nregion",
    "meta-data/placement/availability-zone": "eu-central-1a",
    "meta-data/placement/region": "eu-central-1",
    "meta-data/iam": "info\nsecurity-credentials/",
    "meta-data/iam/security-credentials": ROLE,
    "meta-data/iam/security-credentials/" + ROLE: json.dumps(CREDENTIALS, indent=2),
    "meta-data/iam/security-credentials-extended": ROLE,
    "meta-data/iam/security-credentials-extended/" + ROLE: json.dumps(
        dict(CREDENTIALS, AccountId=ACCOUNT), indent=2
    ),
    "meta-data/iam/info": json.dumps(
        {
            "Code": "Success",
            "InstanceProfileArn": "arn:aws:iam::" + ACCOUNT + ":instance-profile/" + ROLE,
            "InstanceProfileId": "AIPA0123456789EXAMPLE",
        }
    ),
    "dynamic/instance-identity": "document",
    "dynamic/instance-identity/document": json.dumps(IDENTITY, indent=2),
    "user-data": USER_DATA,
}


class Tokens:
    """Tokens issued, with their time of expiry."""

    def __init__(self):
        self._lock = threading.Lock()
        self._expiry = {}

    def issue(self, ttl_seconds):
        token = TOKEN_PREFIX + uuid.uuid4().hex
        with self._lock:
            self._expiry[token] = time.monotonic() + ttl_seconds
        return token

    def valid(self, token):
        with self._lock:
            return self._expiry.get(token, 0) > time.monotonic()


class Handler(BaseHTTPRequestHandler):
    """One client connection; keep-alive as the real service."""

    protocol_version = "HTTP/1.1"
    server_version = "EC2ws"
    timeout = 30

    def version_string(self):
        return "EC2ws"

    def log_message(self, *_args):
        pass

    def _answer(self, status, body="", headers=(), content_type="text/plain"):
        data = body.encode()
        self.server.record(self, status)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _tree_path(self):
        """The path below the version, or None when the target names no metadata version."""
        path = self.path.split("?", 1)[0]
        if path.startswith("http://"):
            path = "/" + path[len("http://") :].partition("/")[2]
        version, _, rest = path.lstrip("/").partition("/")
        dated = len(version) == 10 and version[4] == version[7] == "-"
        if version not in ("latest", "1.0") and not dated:
            return None
        return rest.strip("/")

    def do_PUT(self):  # noqa: N802 (the library's naming)
        length = int(self.headers.get("Content-Length") or 0)
        if length:
            self.rfile.read(length)
        if self._tree_path() != "api/token":
            self._answer(405)
            return
        if self.server.mode == "v1" or "X-Forwarded-For" in self.headers:
            self._answer(403)
            return
        ttl = self.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if not ttl.isdigit() or not 1 <= int(ttl) <= MAX_TTL_SECONDS:
            self._answer(400)
            return
        token = self.server.tokens.issue(int(ttl))
        self._answer(200, token, [("X-aws-ec2-metadata-token-ttl-seconds", ttl)])

    def do_GET(self):  # noqa: N802
        path = self._tree_path()
        if path == "bulk":
            self._bulk()
            return
        if path == "api/token":
            self._answer(405)
            return
        token = self.headers.get("X-aws-ec2-metadata-token")
        if token is None and self.server.mode == "v2":
            self._answer(401)
            return
        if token is not None and not self.server.tokens.valid(token):
            self._answer(401)
            return
        if path is None or path not in LEAVES:
            self._answer(404)
            return
        body = LEAVES[path]
        kind = "application/json" if body.startswith("{") else "text/plain"
        self._answer(200, body, content_type=kind)

    do_HEAD = do_GET

    def _bulk(self):
        """?bytes=N: N bytes of a fixed pattern; not part of IMDS, for transfer tests."""
        size = int(self.path.partition("bytes=")[2] or 0)
        self.server.record(self, 200)
        self.send_response(200)
        self.send_header("Content-Length", str(size))
        self.end_headers()
        block = bytes(range(256)) * 256
        while size > 0:
            part = block[: min(size, len(block))]
            self.wfile.write(part)
            size -= len(part)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, mode, tokens, log):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.mode = mode
        self.tokens = tokens
        self._log = log
        super().__init__(address, Handler)

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        super().server_bind()

    def handle_error(self, request, client_address):
        """A client that went away is no error of the lab."""

    def record(self, handler, status):
        if self._log is None:
            return
        line = json.dumps(
            {
                "time": time.time(),
                "client": handler.client_address[0],
                "client_port": handler.client_address[1],
                "method": handler.command,
                "target": handler.path,
                "headers": dict(handler.headers.items()),
                "status": status,
            }
        )
        with _log_lock:
            self._log.write(line + "\n")
            self._log.flush()


_log_lock = threading.Lock()


def parse_listen(text):
    """'169.254.169.254:80' or '[fd00:ec2::254]:80' -> (host, port)."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", action="append", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--mode", choices=("both", "v1", "v2"), default="both")
    parser.add_argument("--log", metavar="FILE", help="append one JSON line per request")
    parser.add_argument("--ready", metavar="FILE", help="write the process id here once listening")
    args = parser.parse_args()

    log = open(args.log, "a", encoding="utf-8") if args.log else None
    tokens = Tokens()
    servers = [Server(parse_listen(text), args.mode, tokens, log) for text in args.listen]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if args.ready:
        with open(args.ready, "w", encoding="ascii") as handle:
            handle.write("%d\n" % os.getpid())
    print("fake_imds: listening on " + ", ".join(args.listen), file=sys.stderr)
    try:
        servers[0].serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
