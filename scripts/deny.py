#!/usr/bin/env python3
"""Checks what the workspace is built from against deny.toml: licences, banned crates, sources.

deny.toml is cargo-deny's own format and stays the only place where the rules are written. This reads the part of it that
a check without a network needs, so that `make check` has no tool to build first. Prints one line a fault, then
`N passed, N failed`; several versions of one crate are told and are no fault.
"""

import collections
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CRATE_REGISTRY = "registry+"


class Expression:
    """An SPDX licence expression: alternatives (OR) of conjunctions (AND) of licences, with brackets."""

    def __init__(self, text):
        # `/` is what crates wrote before SPDX expressions; it means OR.
        self.tokens = re.findall(r"[()]|[^\s()]+", text.replace("/", " OR "))
        self.at = 0

    def allowed_by(self, allowed):
        self.allowed, self.at = allowed, 0
        result = self._alternatives()
        return result and self.at == len(self.tokens)

    def _alternatives(self):
        result = self._conjunction()
        while self._take("OR"):
            result = self._conjunction() or result
        return result

    def _conjunction(self):
        result = self._licence()
        while self._take("AND"):
            result = self._licence() and result
        return result

    def _licence(self):
        if self._take("("):
            result = self._alternatives()
            return self._take(")") and result
        if self.at >= len(self.tokens):
            return False
        name = self.tokens[self.at]
        self.at += 1
        if self._take("WITH") and self.at < len(self.tokens):
            name = f"{name} WITH {self.tokens[self.at]}"
            self.at += 1
        return name in self.allowed

    def _take(self, token):
        found = self.at < len(self.tokens) and self.tokens[self.at] == token
        self.at += found
        return found


def metadata(target):
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--all-features", "--filter-platform", target]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    found = json.loads(output)
    used = {node["id"]: set() for node in found["resolve"]["nodes"]}
    names = {package["id"]: package["name"] for package in found["packages"]}
    for node in found["resolve"]["nodes"]:
        for dependency in node["dependencies"]:
            used[dependency].add(names[node["id"]])
    return [package | {"users": used[package["id"]]} for package in found["packages"] if package["id"] in used]


def licences(package, rules):
    allowed = set(rules["allow"])
    for exception in rules.get("exceptions", []):
        if exception["crate"] == package["name"]:
            allowed |= set(exception["allow"])
    licence = package["license"]
    if not licence:
        return "names no licence"
    return None if Expression(licence).allowed_by(allowed) else f"has the licence {licence}, which deny.toml does not allow"


def bans(package, rules):
    for entry in rules["deny"]:
        # A wrapper is a crate that may use the banned one, so that nothing else does.
        if entry["crate"] == package["name"] and package["users"] - set(entry.get("wrappers", [])):
            return f"is banned: {entry['reason']}"
    return None


def sources(package, rules):
    source = package["source"]
    if source is None or source.startswith(CRATE_REGISTRY) or source in rules["allow-git"]:
        return None
    return f"comes from {source}, not from the crate registry"


CHECKS = {"licenses": licences, "bans": bans, "sources": sources}


def main():
    rules = tomllib.loads((ROOT / "deny.toml").read_text())
    packages = {package["id"]: package for target in rules["graph"]["targets"] for package in metadata(target)}.values()
    passed, faults = 0, []
    for package in packages:
        for section, check in CHECKS.items():
            fault = check(package, rules[section])
            passed += fault is None
            faults += [f"{section}: {package['name']} {package['version']} {fault}"] if fault else []
    versions = collections.defaultdict(set)
    for package in packages:
        versions[package["name"]].add(package["version"])
    twice = [f"{name} ({', '.join(sorted(found))})" for name, found in sorted(versions.items()) if len(found) > 1]
    if twice:
        print(f"several versions of: {'; '.join(twice)}")
    print(*sorted(faults), f"{passed} passed, {len(faults)} failed", sep="\n")
    return 1 if faults or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
