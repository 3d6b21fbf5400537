"""Prints the gateway file for the checks.

    config.py PORT ADMIN_PORT [--keys FILE]

Models named `o-…` go to a simulated provider that speaks OpenAI chat, models named `a-…` to one that
speaks Anthropic messages. `o-cut`, `a-429` and their like reach the simulator's model of that trouble.
"""

import sys

TROUBLES = ["429", "500", "cut", "cut-clean", "cut-early", "error-in-stream", "garbled", "context"]
KINDS = {"o": ("sim-openai", "openai"), "a": ("sim-anthropic", "anthropic")}


def gateway(port, admin, keys):
    yield "version: 1"
    yield f"listen: 127.0.0.1:{port}"
    yield f"admin: 127.0.0.1:{admin}"
    if keys:
        yield f"callers: {{ keys: {keys} }}"
    yield "providers:"
    for name, kind in KINDS.values():
        yield f"  {name}: {{ kind: {kind}, simulate: {{}} }}"
        yield f"  {name}-slow: {{ kind: {kind}, simulate: {{ token_delay: 250ms }} }}"
    yield "targets:"
    for short, (name, _) in KINDS.items():
        for trouble in TROUBLES:
            # Every check wants the trouble itself, however often it has been asked for.
            breaker = "breaker: { failures: 1000 }"
            yield f"  {short}-{trouble}: {{ provider: {name}, model: sim-{trouble}, {breaker} }}"
    yield "policies:"
    for short, (name, _) in KINDS.items():
        for trouble in TROUBLES:
            yield from policy(f"{short}-{trouble}", f"{short}-{trouble}", f"{short}-{trouble}")
        yield from policy(f"{name}-slow", f"{short}-slow", f"{name}-slow")
        # What goes out is said back by the simulator: with `restore` as it came, without as the provider saw it.
        for model, restore in (("private", "true"), ("placeholder", "false")):
            steps = f"[{{ redact: {{ find: [pii, secrets], where: [request], restore: {restore} }} }}]"
            yield from policy(f"{name}-{model}", f"{short}-{model}", name, steps)
        yield from policy(name, f"{short}-*", name)


def policy(name, model, route, steps=None):
    yield f"  - policy: {name}"
    yield f'    for: {{ models: ["{model}"] }}'
    if steps:
        yield f"    steps: {steps}"
    yield f"    route: {route}"


if __name__ == "__main__":
    port, admin = sys.argv[1:3]
    keys = sys.argv[4] if sys.argv[3:4] == ["--keys"] else None
    print("\n".join(gateway(port, admin, keys)))
