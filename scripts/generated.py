#!/usr/bin/env python3
"""Writes the generated pages of the documentation, or with --check says which are out of date.

docs/configuration.md is made of what `seawall config schema` prints: the declaration that reads the configuration.
"""
import json, pathlib, subprocess, sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def schema():
    command = ["cargo", "run", "--quiet", "--locked", "--bin", "seawall", "--", "config", "schema"]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def kind(node):
    if "enum" in node:
        return " \\| ".join(f"`{value}`" for value in node["enum"] if value is not None)
    for key in ("anyOf", "oneOf"):
        if key in node:
            return " \\| ".join(dict.fromkeys(kind(option) for option in node[key]))
    name = node.get("type", "any")
    return " or ".join(name) if isinstance(name, list) else name


def rows(node, prefix=""):
    for key, child in node.get("properties", {}).items():
        path = f"{prefix}{key}"
        default = json.dumps(child["default"], ensure_ascii=False) if "default" in child else ""
        text = child.get("description", "").replace("|", "\\|").replace("\n", " ")
        yield f"| `{path}` | {kind(child)} | {f'`{default}`' if default else ''} | {text} |"
        yield from rows(child, f"{path}.")
        items = child.get("items")
        if isinstance(items, dict):
            yield from rows(items, f"{path}[].")
        named = child.get("additionalProperties")
        if isinstance(named, dict):
            yield from rows(named, f"{path}.NAME.")


def configuration():
    head = """# Configuration

Made of the declaration that reads it (`make docs`); `seawall config show` tells the values in force and where each comes
from. A file is TOML, YAML or JSON; `--config` takes files and folders and may be given several times. A folder is two layers,
`defaults.*` and, with `SEAWALL_ENV=prod`, `prod.*` above it. Environment: `SEAWALL_GATEWAY__LISTEN=…` (section, two underscores, key). `${VAR}` and `${VAR:-default}` are resolved. Durations are
written `250ms`, `10s`, `5m`, `2h`, `30d`, sizes `512K`, `10M`, `4G`, dollars as exact decimals in quotes.

| key | type | default | meaning |
| --- | --- | --- | --- |
"""
    return head + "\n".join(rows(schema())) + "\n"


PAGES = {"docs/configuration.md": configuration}


def main():
    stale = []
    for name, make in PAGES.items():
        path, text = ROOT / name, make()
        if "--check" in sys.argv:
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            path.write_text(text)
    if stale:
        sys.exit(f"out of date, run `make docs`: {', '.join(stale)}")


main()
