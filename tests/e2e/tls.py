"""ClientHellos made by OpenSSL: an encoder of others' making checks the parser."""

import functools
import ssl

from evasion.scene import ELSEWHERE


@functools.lru_cache(None)
def client_hello(name):
    """The first bytes of a TLS connection to a server of that name; None: without one."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(received, sent, server_hostname=name)
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return sent.read()


SERVER_HELLO = b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00"


def connection(scene, name, size=1400, first=b"", server=None):
    """The client's next connection: TLS to a server of that name, in segments of that size."""
    scene.another().server[scene.version] = server or ELSEWHERE[scene.version]
    scene.server_port = 443
    hello = client_hello(name)
    pieces = [hello[at : at + size] for at in range(0, len(hello), size)]
    if first:
        return scene.dialogue(first, b"HTTP/1.1 200 Connection established\r\n\r\n", pieces,
                              SERVER_HELLO)
    return scene.dialogue(pieces, SERVER_HELLO)
