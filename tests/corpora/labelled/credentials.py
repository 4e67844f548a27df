"""Texts with credentials in them, and texts that only look so.

Two sources that do not know each other: the published rules of another scanner, from which instances are drawn, and the
providers' documentation of their keys. What is drawn here opens nothing.
"""

import base64
import json
import random
import re
import string
from collections.abc import Iterator
from pathlib import Path

from . import patterns
from .texts import Label, Text, placed, randomness

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL_SAFE = ALNUM + "-_"
EACH_RULE = 3
EACH_FORM = 12

#: Where values stand in what passes a gateway.
PLACES = [
    "{}",
    "export KEY={}\n",
    '"value": "{}", "n": 1',
    "curl -H 'X-Api: {}' https://api.acme.dev/v1/items",
    "Here is the one that I use: {}. Please do not share it.",
    "2026-11-21T10:24:03Z ERROR upstream said 401 for {} (attempt 3)",
    "    client = Client(\"{}\")  # production",
    "| live | {} | rotated in May |",
    "config:\n  value: {}\n  retries: 3\n",
    "https://api.acme.dev/v1/items?k={}&page=2",
]


def word(rng: random.Random, alphabet: str, length: int) -> str:
    return "".join(rng.choices(alphabet, k=length))


def _jwt(rng: random.Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    claims = {"sub": word(rng, string.digits, 10), "iat": rng.randrange(1_700_000_000, 1_800_000_000)}
    return ".".join([part({"alg": "HS256", "typ": "JWT"}), part(claims), word(rng, URL_SAFE, 43)])


def _pem(rng: random.Random) -> str:
    label = rng.choice(["RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PRIVATE KEY"])
    body = base64.b64encode(rng.randbytes(rng.choice([118, 608, 1192]))).decode()
    lines = "\n".join(body[at : at + 64] for at in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----"


#: The providers' own words about their keys: what they begin with, and what follows.
FORMS = {
    "openai": lambda r: f"sk-proj-{word(r, URL_SAFE, 74)}T3BlbkFJ{word(r, URL_SAFE, 74)}",
    "openai classic": lambda r: f"sk-{word(r, ALNUM, 20)}T3BlbkFJ{word(r, ALNUM, 20)}",
    "anthropic": lambda r: f"sk-ant-api03-{word(r, URL_SAFE, 93)}AA",
    "openrouter": lambda r: f"sk-or-v1-{word(r, HEX, 64)}",
    "google": lambda r: f"AIza{word(r, URL_SAFE, 35)}",
    "github": lambda r: f"gh{r.choice('pousr')}_{word(r, ALNUM, 36)}",
    "github fine-grained": lambda r: f"github_pat_{word(r, ALNUM, 22)}_{word(r, ALNUM, 59)}",
    "gitlab": lambda r: f"glpat-{word(r, URL_SAFE, 20)}",
    "aws id": lambda r: f"{r.choice(['AKIA', 'ASIA'])}{word(r, string.ascii_uppercase + '234567', 16)}",
    "slack": lambda r: f"xoxb-{word(r, string.digits, 12)}-{word(r, string.digits, 13)}-{word(r, ALNUM, 24)}",
    "stripe": lambda r: f"sk_live_{word(r, ALNUM, 24)}",
    "twilio": lambda r: f"SK{word(r, HEX, 32)}",
    "sendgrid": lambda r: f"SG.{word(r, URL_SAFE, 22)}.{word(r, URL_SAFE, 43)}",
    "npm": lambda r: f"npm_{word(r, ALNUM, 36)}",
    "pypi": lambda r: f"pypi-AgEIcHlwaS5vcmc{word(r, URL_SAFE, 150)}",
    "hugging face": lambda r: f"hf_{word(r, string.ascii_letters, 34)}",
    "groq": lambda r: f"gsk_{word(r, ALNUM, 52)}",
    "digitalocean": lambda r: f"dop_v1_{word(r, HEX, 64)}",
    "databricks": lambda r: f"dapi{word(r, HEX, 32)}",
    "jwt": _jwt,
    "private key": _pem,
}

#: Values that only their name gives away, as configuration and code write them.
NAMED = [
    ("password = \"{}\"", "password"),
    ("DB_PASSWORD={}\n", "password"),
    ("\"password\": \"{}\",", "password"),
    ("mysql --user=app --password={} -h db", "password"),
    ("api_key: {}\n", "key"),
    ("\"apiKey\": \"{}\"", "key"),
    ("const apiSecret = '{}';", "key"),
    ("client_secret={}&grant_type=client_credentials", "key"),
    ("Authorization: Bearer {}\n", "key"),
    ("access_token: '{}'", "key"),
    ("aws_secret_access_key = {}\n", "aws"),
    ("postgres://app:{}@db.internal.acme.dev:5432/app", "password"),
    ("redis://:{}@cache:6379/0", "password"),
]

#: What stands in the place of a secret, and what is as random as one and none.
HARMLESS = [
    lambda r: f"password = \"{r.choice(['changeme', 'your-password-here', '<password>', '********'])}\"",
    lambda r: f"API_KEY=${{{r.choice(['API_KEY', 'SECRET', 'PROD_TOKEN'])}}}",
    lambda r: f"token = os.environ[\"{r.choice(['GITHUB_TOKEN', 'SLACK_TOKEN'])}\"]",
    lambda r: "api_key: process.env.OPENAI_API_KEY",
    lambda r: f"secret = settings.{r.choice(['client_secret', 'jwt_secret'])}.get_value()",
    lambda r: "sk-your-api-key-goes-here",
    lambda r: "AKIAIOSFODNN7EXAMPLE",
    lambda r: f"sk-{word(r, ALNUM, 6)}",
    lambda r: f"ghp_{word(r, ALNUM, 10)}...",
    lambda r: f"commit {word(r, HEX, 40)}",
    lambda r: f"sha256:{word(r, HEX, 64)}",
    lambda r: f"\"integrity\": \"sha512-{base64.b64encode(r.randbytes(64)).decode()}\"",
    lambda r: f"id={word(r, HEX, 8)}-{word(r, HEX, 4)}-4{word(r, HEX, 3)}-a{word(r, HEX, 3)}-{word(r, HEX, 12)}",
    lambda r: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{word(r, ALNUM, 43)} build@ci",
    lambda r: f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(r.randbytes(48)).decode()}\n-----END PUBLIC KEY-----",
    lambda r: f"data:image/png;base64,{base64.b64encode(r.randbytes(90)).decode()}",
    lambda r: f"ETag: \"{word(r, HEX, 32)}\"",
    lambda r: "max_tokens: 4096, \"next_page_token\": \"CAUQAA\"",
    lambda r: "The password must have at least 12 characters, one of them a digit.",
    lambda r: "def verify(password: str, token: Optional[str] = None) -> bool:",
    lambda r: "risk-management-and-task-scheduling-in-2024",
    lambda r: f"trace_id={word(r, HEX, 32)} span_id={word(r, HEX, 16)}",
    lambda r: "password: string; secret?: Buffer; apiKey: Record<string, unknown>",
    lambda r: f"container {word(r, HEX, 12)} image registry.acme.dev/app@sha256:{word(r, HEX, 64)}",
    lambda r: "Authorization: Bearer <token>",
    lambda r: f"https://app.acme.dev/reset?next=/inbox/{word(r, string.digits, 12)}",
    lambda r: f"const cacheKey = `user:${{id}}:{word(r, string.ascii_lowercase, 8)}`;",
    lambda r: f"_0x{word(r, HEX, 6)}=function(e,t){{return e[{r.randrange(99)}]^t}}",
]


def from_forms() -> Iterator[Text]:
    """Keys as their providers describe them, in the places where keys stand."""
    rng = randomness("forms")
    for kind, draw in FORMS.items():
        for _ in range(EACH_FORM):
            yield placed("by form", rng.choice(PLACES), kind, draw(rng))


def from_names() -> Iterator[Text]:
    """Values that their name calls secret."""
    rng = randomness("names")
    for template, kind in NAMED:
        for _ in range(EACH_FORM):
            value = word(rng, ALNUM + "+/", 40) if kind == "aws" else word(rng, ALNUM, rng.choice([24, 32, 40]))
            if kind == "password":
                stem = rng.choice(["Winter", "correct", "Blau", "tr0ub", "s3cur", "Dragon", "kaffee"])
                value = f"{stem}{rng.choice('!#*+.-')}{word(rng, ALNUM, 4)}{rng.randrange(10, 99)}"
            yield placed("by name", template, kind, value)


def rules_of(library: Path) -> list[tuple[str, str]]:
    """The rules that a scanner has compiled in, as TOML: names and expressions."""
    raw = library.read_bytes()
    tables = raw[raw.find(b"[[rules]]") : raw.rfind(b"[[rules]]") + 4000].decode("utf-8", "replace")
    found = []
    for table in tables.split("[[rules]]")[1:]:
        name = re.search(r'^id = "([^"]+)"', table, re.M)
        expression = re.search(r"^regex = '''(.*?)'''", table, re.M | re.S)
        if name and expression:
            found.append((name[1], expression[1]))
    return found


#: Rules for what is no secret by itself: names of accounts, hosts, public halves.
NOT_SECRET = re.compile(r"client-id|username|-url|-host|-domain|public|account-name|tenant-id|cloud-name|key-id|app-id|-id$")


def from_rules(library: Path) -> Iterator[Text]:
    """Instances of another scanner's rules: of those that know a key by its form, and of those that need a name near."""
    rng = randomness("rules")
    for name, expression in rules_of(library):
        if NOT_SECRET.search(name.split(".")[0]):
            continue
        try:
            tree = patterns.parsed(expression)
            drawn = [patterns.drawn_with_secret(rng, tree) for _ in range(EACH_RULE)]
        except (re.error, IndexError, ValueError):
            continue
        group = "rules, by name" if "(?:=|>" in expression or ".{0," in expression or "[\\s\\S]" in expression else "rules, by form"
        for text, start, end in drawn:
            yield Text(f"value {text}\n", group, (Label(name, start + 6, end + 6),))


def harmless() -> Iterator[Text]:
    """Nothing in these is a secret."""
    rng = randomness("harmless")
    for draw in HARMLESS:
        for _ in range(EACH_FORM):
            yield Text(draw(rng), "look-alikes")
