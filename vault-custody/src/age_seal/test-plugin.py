#!/usr/bin/env python3
"""A plugin of age that hides nothing, for tests. Protocol: <https://c2sp.org/age-plugin>."""

import base64
import sys


def read():
    """Reads a stanza: its words and its body."""
    words = sys.stdin.readline().split()[1:]
    body = ""
    while True:
        line = sys.stdin.readline().rstrip("\n")
        body += line
        if len(line) < 64:
            return words, base64.b64decode(body + "=" * (-len(body) % 4))


def write(words, body=b""):
    """Writes a stanza; bodies here fit one line."""
    print("->", words)
    print(base64.b64encode(body).decode().rstrip("="), flush=True)


def read_all():
    """Reads stanzas until `done`."""
    stanzas = []
    while True:
        words, body = read()
        if words[0] == "done":
            return stanzas
        stanzas.append((words, body))


def turned(key):
    """Turns a key into what stands in its place, and back."""
    return bytes(byte ^ 0x5A for byte in key)


stanzas = read_all()
if sys.argv[1] == "--age-plugin=recipient-v1":
    keys = [body for words, body in stanzas if words[0] == "wrap-file-key"]
    write("recipient-stanza 0 keyturntest", turned(keys[0]))
    read()
else:
    for words, body in stanzas:
        if words[:3] == ["recipient-stanza", "0", "keyturntest"]:
            write("file-key 0", turned(body))
            read()
write("done")
