"""Other tools under the same interface: for every text what they find, in characters.

Each is taken as its authors ship it, without a network and without a model. What they are made for differs (scanners of
repositories, anonymisers of documents), so a figure beside ours says how they do on this task, not how good they are.
"""

from collections.abc import Iterable

from judging import Found


def _places(text: str, value: str, kind: str) -> list[Found]:
    """A tool that tells the value and not the place means every place."""
    places, at = [], text.find(value)
    while value and at >= 0:
        places.append(Found(kind, at, at + len(value)))
        at = text.find(value, at + len(value))
    return places


def betterleaks(texts: Iterable[str]) -> list[list[Found]]:
    """A scanner of repositories with 465 rules, compiled from Go."""
    from betterleaks import scan_string

    return [[place for one in scan_string(text) for place in _places(text, one.match.value, one.rule_id)] for text in texts]


def detect_secrets(texts: Iterable[str]) -> list[list[Found]]:
    """Its detectors by form and by name. The two that call every varied word a secret are off: they find everything."""
    from detect_secrets.core.scan import scan_line
    from detect_secrets.settings import default_settings

    found = []
    with default_settings() as settings:
        settings.disable_plugins("HexHighEntropyString", "Base64HighEntropyString")
        for text in texts:
            secrets = {(one.type, one.secret_value) for line in text.splitlines() for one in scan_line(line)}
            found.append([place for kind, value in sorted(secrets) for place in _places(text, value, kind)])
    return found


#: The names of others for our kinds.
PRESIDIO = {
    "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban", "US_SSN": "ssn", "IP_ADDRESS": "ip",
}  # fmt: skip
SCRUBADUB = {"email": "email", "phone": "phone", "credit_card": "card", "social_security_number": "ssn"}


def presidio(texts: Iterable[str]) -> list[list[Found]]:
    """Its recognizers by pattern and checksum, for the kinds that we have. What needs a language model is left out."""
    import tldextract

    # Else it asks the network for the list that it carries.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)
    from presidio_analyzer import predefined_recognizers as made

    recognizers = [
        made.EmailRecognizer(), made.PhoneRecognizer(), made.CreditCardRecognizer(), made.IbanRecognizer(), made.UsSsnRecognizer(),
        made.IpRecognizer(),
    ]  # fmt: skip
    return [
        [Found(PRESIDIO[one.entity_type], one.start, one.end)
         for recognizer in recognizers
         for one in recognizer.analyze(text, recognizer.supported_entities, None) or []
         if one.entity_type in PRESIDIO]
        for text in texts
    ]  # fmt: skip


def scrubadub(texts: Iterable[str]) -> list[list[Found]]:
    """Its detectors by pattern; of its kinds it has none for accounts, addresses of machines and Chinese identities."""
    import scrubadub as made

    scrubber = made.Scrubber()
    return [[Found(SCRUBADUB[one.type], one.beg, one.end) for one in scrubber.iter_filth(text) if one.type in SCRUBADUB] for text in texts]
