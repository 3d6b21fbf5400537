"""Asks the gateway for a bit of everything, and checks what Phoenix tells of it.

    check.py --wait URL         ends when somebody answers there
    check.py GATEWAY PHOENIX    asks, waits for the spans, and checks them
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request

PATIENCE = 90.0
SECRET, IBAN = "ada@example.org", "DE89370400440532013000"
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def send(url, body=None, headers=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def wait_for(url):
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up:
        try:
            if send(url)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"nobody answers at {url} after {PATIENCE:.0f} s")


def drive(gateway):
    """Asks for each thing to look at; gives the trace of each, by name."""

    def ask(model, text, status=200, path="/v1/chat/completions", **more):
        said = {"input": text} if "embeddings" in path else {"messages": [{"role": "user", "content": text}]}
        who = {"x-user-id": "ada", "x-session-id": "talk-1"}
        found, headers, body = send(gateway + path, {"model": model, **said, **more}, who)
        equal(found, status, f"{model}: {body[:300]}")
        return headers["x-trace-id"]

    return {
        "plain": ask("gpt-4.1", "What is a tide?", temperature=0.2),
        "streamed": ask("gpt-4.1", "Count to three.", stream=True),
        "fallback": ask("flaky", "Are you there?"),
        "miss": ask("cached", "Again?"),
        "hit": ask("cached", "Again?"),
        "refused": ask("guarded", f"pay {IBAN}", status=403),
        "redacted": ask("guarded", f"write to {SECRET}"),
        "cut": ask("cut", "Tell me a story.", stream=True),
        "embedded": ask("text-embedding-3-small", "tides", path="/v1/embeddings"),
        "tool": ask("gpt-4.1", "Weather in Rome?", tools=[TOOL]),
        "anthropic": ask("gpt-4.1", "Hello?", path="/v1/messages", max_tokens=50),
    }


def spans_of(phoenix, count):
    """All spans by trace, in the order in which they began, once there are so many traces."""
    give_up = time.monotonic() + PATIENCE
    while True:
        status, _, body = send(f"{phoenix}/v1/projects/tidegate/spans?limit=1000")
        traces = {}
        for span in json.loads(body)["data"] if status == 200 else []:
            traces.setdefault(span["context"]["trace_id"], []).append(span)
        if len(traces) == count:
            return {trace: sorted(spans, key=lambda span: span["start_time"]) for trace, spans in traces.items()}
        if time.monotonic() > give_up:
            sys.exit(f"Phoenix has {len(traces)} traces and not {count}")
        time.sleep(0.5)


QUERY = """query { projects(filter: {col: name, value: "tidegate"}) { edges { node { id traceCount tokenCountTotal
  spans(first: 100) { edges { node { name spanKind statusCode tokenCountPrompt tokenCountCompletion
    cumulativeTokenCountTotal costSummary { total { cost } } trace { traceId } } } }
  sessions(first: 9) { edges { node { sessionId numTraces tokenUsage { total } } } } } } } }"""


def project(phoenix):
    """What the pages of the project are made from."""
    status, _, body = send(f"{phoenix}/graphql", {"query": QUERY})
    equal(status, 200, body[:300])
    return json.loads(body)["data"]["projects"]["edges"][0]["node"]


def equal(left, right, where=""):
    assert left == right, f"{left!r} is not {right!r} {where}"


def has(span, **expected):
    for name, value in expected.items():
        name = name.replace("__", ".")
        equal(span["attributes"].get(name), value, f"({name} of {span['name']}: {span['attributes']})")


def tree(spans):
    """The kinds and names of a trace; all but the first are below it."""
    root = spans[0]
    assert root["parent_id"] is None, root
    assert all(span["parent_id"] == root["context"]["span_id"] for span in spans[1:]), spans
    return [(span["span_kind"], span["name"]) for span in spans]


def check_trees(of):
    chat = ("CHAIN", "POST chat")
    gpt, claude = ("LLM", "chat gpt-4.1"), ("LLM", "chat claude-sonnet-4-5")
    redact, cache = ("GUARDRAIL", "redact"), ("CHAIN", "cache")
    for name, expected in {
        "plain": [chat, gpt],
        "streamed": [chat, gpt],
        "fallback": [chat, ("LLM", "chat sim-503"), claude],
        "miss": [chat, cache, gpt],
        "hit": [chat, cache],
        "refused": [chat, redact],
        "redacted": [chat, redact, gpt],
        "cut": [chat, ("LLM", "chat sim-cut")],
        "embedded": [("CHAIN", "POST embeddings"), ("EMBEDDING", "embeddings text-embedding-3-small")],
        "tool": [chat, gpt],
        "anthropic": [chat, gpt],
    }.items():
        equal(tree(of[name]), expected, name)
    status = {name: [span["status_code"] for span in spans] for name, spans in of.items()}
    equal(status["fallback"], ["UNSET", "ERROR", "UNSET"])
    equal(status["cut"], ["ERROR", "ERROR"])
    equal(status["refused"], ["UNSET", "UNSET"])


def check_models(of):
    plain = of["plain"][1]
    has(plain, llm__model_name="gpt-4.1", llm__provider="openai", llm__system="openai", llm__finish_reason="stop")
    has(plain, llm__invocation_parameters='{"temperature":0.2}', user__id="ada", session__id="talk-1")
    equal(plain["attributes"]["llm.input_messages.0.message.content"], "What is a tide?")
    equal(plain["attributes"]["llm.input_messages.0.message.role"], "user")
    assert "What is a tide?" in plain["attributes"]["llm.output_messages.0.message.content"], plain
    # Tables show what is on the root.
    has(of["plain"][0], input__value="What is a tide?", input__mime_type="text/plain")
    has(of["fallback"][2], llm__provider="anthropic", llm__model_name="claude-sonnet-4-5")
    has(of["embedded"][1], embedding__model_name="text-embedding-3-small")
    tool = of["tool"][1]["attributes"]
    equal(tool["llm.output_messages.0.message.tool_calls.0.tool_call.function.name"], "weather")
    assert any(event["name"] == "tidegate.first_token" for event in of["streamed"][1]["events"]), of["streamed"]


def check_bills(of):
    """Tokens and dollars are on the attempts that were billed, and on nothing else."""
    for name, spans in of.items():
        for span in spans:
            said = span["attributes"]
            is_billed = span["span_kind"] in ("LLM", "EMBEDDING") and not span["name"].endswith("sim-503")
            equal("llm.token_count.prompt" in said, is_billed, f"{name}: {span}")
            equal("llm.cost.total" in said, is_billed, f"{name}: {span}")
            if is_billed:
                equal(said["llm.token_count.total"], said["llm.token_count.prompt"] + said["llm.token_count.completion"])
                parts = said["llm.cost.prompt"] + said["llm.cost.completion"]
                assert abs(parts - said["llm.cost.total"]) < 1e-12, said


def check_secrets(spans):
    shown = json.dumps(spans)
    for secret in (SECRET, IBAN):
        assert secret not in shown, f"{secret} is in a span"
    assert "<EMAIL_1" in shown


def check_pages(node, of):
    """The columns of the tables, which are Phoenix's own sums."""
    rows = [edge["node"] for edge in node["spans"]["edges"]]
    attempts = [span for spans in of.values() for span in spans if span["span_kind"] == "LLM"]
    total = sum(span["attributes"].get("llm.token_count.total", 0) for span in attempts)
    equal((node["traceCount"], node["tokenCountTotal"]), (len(of), total))
    # Those of a request are summed up at its root.
    roots = {row["trace"]["traceId"]: row for row in rows if row["name"].startswith("POST ")}
    plain = roots[of["plain"][0]["context"]["trace_id"]]
    equal(plain["cumulativeTokenCountTotal"], of["plain"][1]["attributes"]["llm.token_count.total"])
    equal(roots[of["hit"][0]["context"]["trace_id"]]["cumulativeTokenCountTotal"], 0)
    [session] = [edge["node"] for edge in node["sessions"]["edges"]]
    equal((session["sessionId"], session["numTraces"], session["tokenUsage"]["total"]), ("talk-1", len(of), total))


def picture(phoenix, node, of):
    folder = os.environ.get("TIDEGATE_PHOENIX_SHOT")
    if not folder:
        return
    project = f"{phoenix}/projects/{node['id']}"
    pages = {"spans": f"{project}/spans", "sessions": f"{project}/sessions"}
    for name in ("plain", "fallback", "refused", "tool"):
        last = of[name][-1]
        pages[name] = f"{project}/traces/{last['context']['trace_id']}?selectedSpanNodeId={last['id']}"
    for name, url in pages.items():
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1600,1000"]
        command += ["--virtual-time-budget=20000", f"--screenshot={folder}/{name}.png", url]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=120, check=True)


def main(gateway, phoenix):
    asked = drive(gateway)
    spans = spans_of(phoenix, len(asked))
    of = {name: spans[trace] for name, trace in asked.items()}
    check_trees(of)
    check_models(of)
    check_bills(of)
    check_secrets(spans)
    node = project(phoenix)
    check_pages(node, of)
    for name, trace in of.items():
        print(f"{name}:")
        for span in trace:
            said = span["attributes"]
            tokens, cost = said.get("llm.token_count.total", "-"), said.get("llm.cost.total", "-")
            print(f"  {span['span_kind']:9} {span['name']:36} {span['status_code']:6} tokens {tokens} usd {cost}")
    costs = [edge["node"]["costSummary"] for edge in node["spans"]["edges"]]
    print("Phoenix's own cost column:", [cost["total"]["cost"] for cost in costs if cost])
    picture(phoenix, node, of)


if __name__ == "__main__":
    if sys.argv[1] == "--wait":
        wait_for(sys.argv[2])
    else:
        main(*sys.argv[1:3])
