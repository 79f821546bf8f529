"""A mail server for the tests: aiosmtpd over TLS, with login. Each message that it takes becomes a line of JSON."""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Keeper:
    """Keeps messages as Python's own reader of mail understands them."""

    def __init__(self, path):
        self.path = path

    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        kept = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "login": (session.auth_data or b"").decode(),
            "tls": server.transport.get_extra_info("cipher") is not None,
            "headers": {name: str(value) for name, value in message.items()},
            "body": message.get_content(),
        }
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(kept) + "\n")
        return "250 taken"


async def main(port, protection, certificate, key, password, path):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    is_wrapped = protection == "tls"

    def authenticate(server, session, envelope, mechanism, given):
        right = given.login == b"vault" and given.password == password.encode()
        return AuthResult(success=right, handled=right, auth_data=given.login if right else None)

    def serve():
        return SMTP(
            Keeper(path),
            hostname="localhost",
            authenticator=authenticate,
            auth_required=True,
            # Over a wrapped connection there is TLS from the first byte on, of which this class knows nothing.
            auth_require_tls=not is_wrapped,
            tls_context=None if is_wrapped else context,
            require_starttls=not is_wrapped,
        )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(serve, "127.0.0.1", port, ssl=context if is_wrapped else None)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
