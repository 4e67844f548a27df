"""Texts with personal data in them: the sentences of presidio-evaluator, filled in by Faker, and what only looks so.

The sentences come from the package and stay there; what is written is made anew by every run.
"""

import random
import re
import string
from collections.abc import Iterator
from pathlib import Path

from faker import Faker
from stdnum.cn import ric

from .texts import SEED, Label, Text, randomness

LOCALES = ["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL"]
EACH_SENTENCE = 6
EACH_HARMLESS = 25

FIELD = re.compile(r"\{\{(\w+)\}\}")
#: What a field of the sentences is called by the detectors.
KINDS = {
    "credit_card_number": "card",
    "phone_number": "phone",
    "email": "email",
    "iban": "iban",
    "ssn": "ssn",
    "ip_address": "ip",
    "cn_id": "cn_id",
}
#: The package has few sentences for some kinds, and none for one.
MORE = [
    "Wire it to {{iban}} by Friday, please.",
    "Account holder {{person}}, IBAN: {{iban}}, bank in {{city}}",
    "{\"customer\": \"{{person}}\", \"iban\": \"{{iban}}\", \"amount\": 120.5}",
    "My social security number is {{ssn}}, born {{date_of_birth}}",
    "SSN: {{ssn}}",
    "{\"name\": \"{{person}}\", \"ssn\": \"{{ssn}}\"}",
    "The login came from {{ip_address}} at night",
    "client={{ip_address}} status=200 took=12ms",
    "Reply to {{email}} or to {{email}}; {{person}} reads both.",
    "mailto:{{email}}?subject=offer",
    "\"email\":\"{{email}}\",\"city\":\"{{city}}\"",
    "身份证号：{{cn_id}}，姓名：{{person}}",
    "{\"id_card\": \"{{cn_id}}\"}",
    "旅客证件号码 {{cn_id}} 已登记",
    "Please call me back at {{phone_number}} after six",
    "{\"phone\": \"{{phone_number}}\", \"city\": \"{{city}}\"}",
    "Pay with {{credit_card_number}}, valid until {{year}}",
    "{\"card\": \"{{credit_card_number}}\", \"holder\": \"{{person}}\"}",
]
#: The networks whose numbers Faker draws as ISO/IEC 7812 has them; its JCB goes past 3589, its Maestro has twelve digits.
CARDS = ["visa16", "mastercard", "amex", "discover", "diners"]
CN_PLACES = ["110105", "310101", "440305", "330106", "510104"]


def _cn_id(rng: random.Random, fake: Faker) -> str:
    body = rng.choice(CN_PLACES) + fake.date_of_birth(minimum_age=18).strftime("%Y%m%d") + f"{rng.randrange(1, 999):03}"
    return body + ric.calc_check_digit(body + "0")


def _spaced(text: str, rng: random.Random) -> str:
    """Every second card and account is written in groups of four, as on paper."""
    if rng.random() < 0.5:
        return text
    groups = {14: [4, 6, 4], 15: [4, 6, 5]}.get(len(text), []) if text.isdigit() else []
    groups = groups or [4] * (len(text) // 4 + 1)
    parts, at = [], 0
    for length in groups:
        parts.append(text[at : at + length])
        at += length
    return " ".join(part for part in parts if part)


def _value(field: str, rng: random.Random, fake: Faker) -> str:
    match field:
        case "credit_card_number":
            return _spaced(fake.credit_card_number(rng.choice(CARDS)), rng)
        case "phone_number":
            return fake.phone_number()
        case "email":
            return rng.choice([fake.company_email, fake.free_email])()
        case "iban":
            return _spaced(fake.iban(), rng)
        case "ssn":
            return fake["en_US"].ssn()
        case "ip_address":
            return rng.choice([fake.ipv4_public(), fake.ipv4_public(), _global_v6(rng)])
        case "cn_id":
            return _cn_id(rng, fake)
        case "year" | "age" | "building_number" | "zipcode" | "postcode":
            return str({"year": rng.randrange(1950, 2030), "age": rng.randrange(18, 90)}.get(field, rng.randrange(1, 9999)))
        case "date_of_birth" | "date_time":
            return fake.date()
        case "url":
            return "https://www." + fake.domain_name()
        case "address" | "secondary_address":
            return fake.street_address().replace("\n", ", ")
        case _:
            return _name(field, fake)


def _name(field: str, fake: Faker) -> str:
    named = {"organization": fake.company, "city": fake.city, "country": fake.country, "job": fake.job}
    if field in named:
        return named[field]()
    if field.startswith(("first_name", "prefix")):
        return fake.first_name()
    return fake.last_name() if field.startswith("last_name") else fake.name()


def _global_v6(rng: random.Random) -> str:
    return f"2a0{rng.randrange(1, 9)}:" + ":".join(f"{rng.randrange(1, 0xFFFF):x}" for _ in range(7))


def _filled(sentence: str, rng: random.Random, fake: Faker) -> Text:
    text, labels, at = "", [], 0
    for field in FIELD.finditer(sentence):
        text += sentence[at : field.start()]
        value = _value(field[1], rng, fake)
        if field[1] in KINDS:
            labels.append(Label(KINDS[field[1]], len(text), len(text) + len(value)))
        text += value
        at = field.end()
    return Text(text + sentence[at:], "sentences", tuple(labels))


def sentences(package: Path) -> Iterator[Text]:
    """Every sentence that has a field of ours, several times over; and the others once, with nothing to find."""
    rng = randomness("persons")
    fake = Faker(LOCALES)
    fake.seed_instance(SEED)
    lines = (package / "data_generator/raw_data/templates.txt").read_text(encoding="utf-8").splitlines()
    for sentence in [line.replace("\\n", "\n") for line in lines] + MORE:
        fields = set(FIELD.findall(sentence)) & KINDS.keys()
        for _ in range(EACH_SENTENCE if fields else 1):
            yield _filled(sentence, rng, fake)


def _broken(number: str, rng: random.Random) -> str:
    """The number with one digit off: of a number with a check digit, never a right one."""
    at = rng.choice([index for index, digit in enumerate(number[4:], 4) if digit.isdigit()])
    digit = str((int(number[at]) + rng.randrange(1, 9)) % 10)
    return number[:at] + digit + number[at + 1 :]


def harmless() -> Iterator[Text]:
    """Numbers that are nobody's: checks that fail, identifiers, versions, times, measures."""
    rng = randomness("nobody")
    fake = Faker(LOCALES)
    fake.seed_instance(SEED + 1)
    digits = lambda length: "".join(rng.choices(string.digits, k=length))  # noqa: E731
    for _ in range(EACH_HARMLESS):
        for text in [
            f"card {_broken(fake.credit_card_number('visa16'), rng)} was refused as mistyped",
            f"IBAN {_broken(fake.iban(), rng)} has a wrong check digit",
            f"证件 {_broken(_cn_id(rng, fake), rng)} 校验失败",
            f"SSN {rng.choice(['000', '666', '9' + digits(2)])}-{digits(2)}-{digits(4)} is never given out",
            f"order 20{digits(2)}-{digits(4)}-{digits(6)} shipped, tracking 1Z{digits(16)}",
            f"version {rng.randrange(9)}.{rng.randrange(99)}.{rng.randrange(99)}.{rng.randrange(9)} of the driver",
            f"127.0.0.1:{rng.randrange(1024, 65535)} and 0.0.0.0 and ::1 listen; the docs say 192.0.2.{rng.randrange(255)}",
            f"created {1_700_000_000_000 + rng.randrange(10**10)} bytes {rng.randrange(10**9)} ratio 0.{digits(12)}",
            f"@{fake.user_name()} wrote on 12.10.2024 at 10:30, room 3-415-2671, ISBN 978-3-{digits(2)}-{digits(6)}-{digits(1)}",
            f"icon@2x.png, user@localhost, {fake.user_name()}@host and npm i @scope/pkg@1.2.{rng.randrange(99)}",
            f"{fake.date()}T10:{rng.randrange(10, 60)}:00+02:00 | {rng.randrange(10**6)} | {rng.uniform(-180, 180):.6f}",
        ]:
            yield Text(text, "look-alikes")
