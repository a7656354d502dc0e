"""Make the secrets docker-compose.yml mounts: ``python3 config/compose/prepare.py [FOLDER]``.

Only what is absent is made, so it can be run again. The administrator's token is printed once; the folder keeps its
digest alone. The files can be read by the containers' users, the folder by its owner only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import sys
from pathlib import Path

WEBHOOK_TO_FILL_IN = "http://127.0.0.1:9/fill-me-in"
ITERATIONS = 101  # what mosquitto_passwd uses; the password itself is random and long


def mosquitto_entry(user: str, password: str) -> str:
    """A line of Mosquitto's password file (PBKDF2, SHA-512)."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS)
    return f"{user}:$7${ITERATIONS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def prepare(folder: Path) -> str | None:
    """Fill ``folder``; the administrator's token when it was made now, else None."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    postgres = _keep(folder / "postgres_password", secrets.token_urlsafe(24))
    _keep(folder / "database_url", f"postgresql://triage:{postgres}@postgres:5432/triage")
    password = _keep(folder / "mqtt_password", secrets.token_urlsafe(24))
    _keep(folder / "mosquitto_passwords", mosquitto_entry("triage", password))
    _keep(folder / "grafana_password", secrets.token_urlsafe(24))
    _keep(folder / "alert_webhook_url", WEBHOOK_TO_FILL_IN)
    _keep(folder / "oncall_webhook_url", WEBHOOK_TO_FILL_IN)
    tokens = folder / "daemon.env"
    if tokens.exists():
        return None
    token = secrets.token_urlsafe(32)
    entry = {"name": "admin", "role": "admin", "sha256": hashlib.sha256(token.encode()).hexdigest()}
    _keep(tokens, f"TRIAGE_AUTH__TOKENS='{json.dumps([entry])}'")
    return token


def _keep(path: Path, content: str) -> str:
    """What ``path`` holds; ``content`` when it did not exist."""
    if not path.exists():
        path.write_text(f"{content}\n", encoding="utf-8")
        path.chmod(0o444)
    return path.read_text(encoding="utf-8").strip()


def main() -> None:
    """Prepare the folder named on the command line, ``secrets`` at the top of the repository by default."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[2] / "secrets"
    token = prepare(folder)
    say = sys.stdout.write
    if token is not None:
        say(f"administrator's token, shown once: {token}\n")
    for name in ("alert_webhook_url", "oncall_webhook_url"):
        if (folder / name).read_text(encoding="utf-8").strip() == WEBHOOK_TO_FILL_IN:
            say(f"write the address alerts go to into {folder / name}\n")


if __name__ == "__main__":
    main()
