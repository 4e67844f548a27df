#!/usr/bin/env python3
"""Makes crates/llm/data/prices.json, the price table that is built into the binary.

    pip download litellm==1.106.2 --no-deps
    python3 scripts/prices.py litellm-1.106.2-*.whl > crates/llm/data/prices.json

The source is the table that the LiteLLM project ships in its wheel (MIT). Prices become US dollars per million tokens,
exactly: every number is handled as decimal text, never as a float. The result depends on the wheel alone.
"""

import json
import re
import sys
import zipfile
from decimal import ROUND_CEILING, Decimal

TABLE = "litellm/model_prices_and_context_window_backup.json"
MODES = {"chat", "completion", "responses", "embedding"}
# These are named as the providers name them; all others keep the prefix that says whose price it is.
BARE = {"openai": "openai/", "text-completion-openai": "openai/", "anthropic": "anthropic/", "gemini": "gemini/"}
PROVIDERS = set(BARE) | {
    "azure", "azure_ai", "bedrock", "bedrock_converse", "cerebras", "cohere", "cohere_chat", "databricks", "deepinfra",
    "deepseek", "fireworks_ai", "groq", "mistral", "moonshot", "openrouter", "perplexity", "sambanova", "together_ai",
    "vertex_ai", "vertex_ai-anthropic_models", "vertex_ai-embedding-models", "vertex_ai-language-models",
    "vertex_ai-llama_models", "vertex_ai-mistral_models", "voyage", "xai",
}
THRESHOLD = re.compile(r"^input_cost_per_token_above_(\d+)k_tokens$")
# A price has at most twelve significant digits; more are the traces of somebody's float.
NOISE = Decimal("1e-15")


def per_million(entry, *keys):
    """The dearest of the prices under `keys`, in dollars per million tokens, as a JSON number."""
    prices = [entry[key] for key in keys if isinstance(entry.get(key), (int, Decimal))]
    if not prices:
        return None
    price = Decimal(max(prices)).quantize(NOISE, rounding="ROUND_HALF_EVEN") * 1_000_000
    price = price.quantize(Decimal("1e-6"), rounding=ROUND_CEILING).normalize()
    return int(price) if price == price.to_integral_value() else Number(price)


class Number(float):
    """A decimal that json prints digit by digit."""

    def __new__(cls, value):
        number = super().__new__(cls, value)
        number.text = format(value, "f")
        return number

    def __repr__(self):
        return self.text


def rates(entry, suffix=""):
    """The prices of one tier; those that are missing mean the same as input."""
    found = {
        "in": per_million(entry, f"input_cost_per_token{suffix}"),
        "out": per_million(entry, f"output_cost_per_token{suffix}", f"output_cost_per_reasoning_token{suffix}"),
        "cached": per_million(entry, f"cache_read_input_token_cost{suffix}"),
        "write": per_million(entry, f"cache_creation_input_token_cost{suffix}"),
        "write_1h": per_million(entry, f"cache_creation_input_token_cost_above_1hr{suffix}"),
        "sound_in": per_million(entry, f"input_cost_per_audio_token{suffix}"),
        "sound_out": per_million(entry, f"output_cost_per_audio_token{suffix}"),
    }
    return {key: price for key, price in found.items() if price is not None}


def long_context(entry, suffix=""):
    """The tier for long prompts: the first threshold, should there be several."""
    thresholds = sorted(int(match[1]) for match in map(THRESHOLD.match, entry) if match)
    if not thresholds:
        return None
    tier = rates(entry, f"_above_{thresholds[0]}k_tokens{suffix}")
    return {"above": thresholds[0] * 1000, **tier} if "in" in tier else None


def search(entry):
    """The dearest price of a thousand searches that the provider makes for the model."""
    fees = [Decimal(fee) for fee in (entry.get("search_context_cost_per_query") or {}).values()]
    fee = max(fees, default=Decimal(0)) * 1000
    return None if fee == 0 else int(fee) if fee == fee.to_integral_value() else Number(fee.normalize())


# Families that are known not to reason; of all others it is taken for granted, whatever the source leaves out.
PLAIN = re.compile(r"^(babbage-|davinci-|(ft:)?gpt-(3\.5|4)|gpt-audio|text-embedding-|gemini-embedding-|gemini-gemma-)")


def reasons(entry, name):
    """False for models that are known not to reason."""
    plain = PLAIN.match(name.removeprefix("gemini/")) and entry.get("supports_reasoning") is not True
    return False if plain and entry.get("litellm_provider") in BARE else None


# What the source leaves out, each with the page that says it.
FAST = {
    # https://platform.claude.com/docs/en/build-with-claude/fast-mode: $30 and $150 for $5 and $25.
    "claude-opus-4-6": 6,
    "claude-opus-4-6-20260205": 6,
}


def premium(entry, model, name):
    """What a faster service costs, where one is sold: by its own prices, or by a factor."""
    factor = FAST.get(name)
    if factor:
        return {key: scaled(model[key], factor) for key in ("in", "out", "cached", "write", "write_1h") if key in model}
    for suffix in ("_ultrafast", "_priority"):
        tier = rates(entry, suffix)
        if "in" in tier and "out" in tier:
            long = long_context(entry, suffix)
            return {**tier, **({"long": long} if long else {})}
    fast = (entry.get("provider_specific_entry") or {}).get("fast")
    if not isinstance(fast, (int, Decimal)) or fast <= 1:
        return None
    return {key: scaled(model[key], fast) for key in ("in", "out", "cached", "write", "write_1h") if key in model}


def scaled(price, factor):
    exact = (Decimal(repr(price)) * factor).normalize()
    return int(exact) if exact == exact.to_integral_value() else Number(exact)


def limit(entry, key):
    value = entry.get(key)
    return int(value) if isinstance(value, (int, Decimal)) and value > 0 else None


def model_of(entry, name):
    model = rates(entry)
    extra = {
        "search": search(entry),
        "long": long_context(entry),
        "premium": premium(entry, model, name),
        "reasons": reasons(entry, name),
        "max_in": limit(entry, "max_input_tokens"),
        "max_out": limit(entry, "max_output_tokens"),
    }
    return {**model, **{key: value for key, value in extra.items() if value is not None}}


def models_of(table):
    models = {}
    # The named providers come first, so that a bare name never gets the price of a reseller.
    for name, entry in sorted(table.items(), key=lambda item: (item[1].get("litellm_provider") not in BARE, item[0])):
        provider, mode = entry.get("litellm_provider"), entry.get("mode")
        if name == "sample_spec" or provider not in PROVIDERS or mode not in MODES:
            continue
        model = model_of(entry, name)
        priced = model.get("in") or model.get("out")
        if "in" not in model or not priced or (mode != "embedding" and "out" not in model):
            continue
        model.setdefault("out", 0)
        models.setdefault(name.removeprefix(BARE.get(provider, "\0")), model)
    return dict(sorted(models.items()))


def main():
    wheel = zipfile.ZipFile(sys.argv[1])
    table = json.loads(wheel.read(TABLE), parse_float=Decimal)
    version = re.match(r"litellm-([^-]+)-", sys.argv[1].rsplit("/", 1)[-1])[1]
    date = "{:04}-{:02}-{:02}".format(*wheel.getinfo(TABLE).date_time)
    source = {"name": f"litellm {version}", "licence": "MIT, Copyright (c) 2023 Berri AI", "date": date}
    lines = [f"{json.dumps(name)}:{json.dumps(model, separators=(',', ':'))}" for name, model in models_of(table).items()]
    print('{"source":' + json.dumps(source) + ',"unit":"USD per million tokens","models":{')
    print(",\n".join(lines))
    print("}}")


if __name__ == "__main__":
    main()
