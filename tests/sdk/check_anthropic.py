"""The Anthropic SDK. A check named `both_…` runs with an upstream of either dialect: `o` or `a`."""

import asyncio

import anthropic
from anthropic import Anthropic, AsyncAnthropic
from pydantic import BaseModel

from common import CARD, LONG, PRIVATE, SECRET, SLOW_ANSWER_TAKES, WEATHER, equal, named_checks, png, quicker_than, raises

TOOLS = [
    {"name": name, "description": f"To {name}.", "input_schema": WEATHER} for name in ("get_weather", "book_trip")
]
HELLO = "Hello from the simulator. You said: "


def checks(gateway):
    clients = Clients(gateway)
    return named_checks("anthropic", globals(), clients)


class Clients:
    def __init__(self, gateway):
        self.gateway = gateway
        self.open = Anthropic(base_url=gateway.open, api_key="nobody asks", max_retries=0)

    def locked(self, **credential):
        return Anthropic(base_url=self.gateway.locked, max_retries=0, **credential)

    def ask(self, upstream, content="hi", model="chat", **more):
        """What goes to `create` and `stream` alike."""
        messages = more.pop("messages", [{"role": "user", "content": content}])
        return {"model": f"{upstream}-{model}", "max_tokens": 2048, "messages": messages, **more}

    def create(self, upstream, *content, **more):
        return self.open.messages.create(**self.ask(upstream, *content, **more))

    def stream(self, upstream, *content, **more):
        return self.open.messages.stream(**self.ask(upstream, *content, **more))


def text(message):
    return "".join(block.text for block in message.content if block.type == "text")


def both_a_plain_answer_with_usage(clients, upstream):
    message = clients.create(upstream)
    equal((message.type, message.role, message.stop_reason), ("message", "assistant", "end_turn"))
    equal(text(message), HELLO + "hi")
    assert message.id and message.usage.input_tokens > 0 and message.usage.output_tokens > 0


def both_a_provider_sees_placeholders_and_the_caller_its_own_words(clients, upstream):
    seen = text(clients.create(upstream, PRIVATE, model="placeholder"))
    assert SECRET not in seen and CARD not in seen and "<EMAIL_1" in seen, seen
    equal(text(clients.create(upstream, PRIVATE, model="private")), HELLO + PRIVATE)
    with clients.stream(upstream, PRIVATE, model="private") as stream:
        equal("".join(stream.text_stream), HELLO + PRIVATE)


def both_the_stream_helper_puts_an_answer_together(clients, upstream):
    with clients.stream(upstream, "put it together") as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert len(texts) > 3
    whole = clients.create(upstream, "put it together")
    equal("".join(texts), text(whole))
    equal((text(final), final.stop_reason), (text(whole), "end_turn"))
    equal(final.usage.output_tokens, whole.usage.output_tokens)
    equal(final.usage.input_tokens, whole.usage.input_tokens)


def both_a_stream_has_its_events_in_order(clients, upstream):
    kinds = [event.type for event in clients.create(upstream, stream=True)]
    equal(kinds[:2], ["message_start", "content_block_start"])
    equal(kinds[-3:], ["content_block_stop", "message_delta", "message_stop"])
    equal(set(kinds[2:-3]), {"content_block_delta"})


def both_a_stream_arrives_while_it_is_made(clients, upstream):
    with quicker_than(SLOW_ANSWER_TAKES), clients.stream(upstream, LONG, model="slow") as stream:
        assert next(iter(stream.text_stream))


def both_a_tool_is_called_and_its_result_is_read(clients, upstream):
    messages = [{"role": "user", "content": "please get weather for me"}]
    called = clients.create(upstream, messages=messages, tools=TOOLS)
    equal((called.stop_reason, [block.type for block in called.content]), ("tool_use", ["tool_use"]))
    call = called.content[0]
    equal((call.name, set(call.input)), ("get_weather", {"city", "days"}))
    for result in ("12 degrees", [{"type": "text", "text": "12 degrees"}]):
        block = {"type": "tool_result", "tool_use_id": call.id, "content": result}
        turns = messages + [{"role": "assistant", "content": called.content}, {"role": "user", "content": [block]}]
        told = clients.create(upstream, messages=turns, tools=TOOLS)
        equal((text(told), told.stop_reason), ("The tool says: 12 degrees", "end_turn"))


def both_a_streamed_tool_call_is_put_together(clients, upstream):
    with clients.stream(upstream, "get weather, then book trip", tools=TOOLS) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        final = stream.get_final_message()
    assert len(pieces) > 2
    equal([block.type for block in final.content], ["tool_use", "tool_use"])
    equal([block.name for block in final.content], ["get_weather", "book_trip"])
    assert all(set(block.input) == {"city", "days"} for block in final.content)
    equal(final.stop_reason, "tool_use")


def both_a_tool_is_forced(clients, upstream):
    for choice, name in (({"type": "tool", "name": "book_trip"}, "book_trip"), ({"type": "any"}, "get_weather")):
        called = clients.create(upstream, tools=TOOLS, tool_choice=choice)
        equal([block.name for block in called.content], [name])


def both_a_tool_is_forbidden(clients, upstream):
    message = clients.create(upstream, "get weather", tools=TOOLS, tool_choice={"type": "none"})
    equal((message.stop_reason, [block.type for block in message.content]), ("end_turn", ["text"]))


def both_several_tools_are_called_at_once_unless_forbidden(clients, upstream):
    question = "get weather, then book trip"
    both = clients.create(upstream, question, tools=TOOLS)
    equal([block.name for block in both.content], ["get_weather", "book_trip"])
    one_only = {"type": "auto", "disable_parallel_tool_use": True}
    equal(len(clients.create(upstream, question, tools=TOOLS, tool_choice=one_only).content), 1)
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": call.name} for call in both.content]
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": both.content}]
    told = clients.create(upstream, messages=turns + [{"role": "user", "content": results}], tools=TOOLS)
    equal(text(told), "The tool says: get_weather; book_trip")


def both_a_system_prompt_reaches_the_model(clients, upstream):
    plain = clients.create(upstream).usage.input_tokens
    words = "Be brief. " * 20
    for system in (words, [{"type": "text", "text": words, "cache_control": {"type": "ephemeral"}}]):
        assert clients.create(upstream, system=system).usage.input_tokens >= plain + 40


def both_a_conversation_of_many_turns_is_read(clients, upstream):
    turns = [("user", "one"), ("assistant", "1"), ("user", "two"), ("assistant", "2")]
    messages = [{"role": role, "content": said} for role, said in turns]
    messages.append({"role": "user", "content": [{"type": "text", "text": "three"}]})
    equal(text(clients.create(upstream, messages=messages, system="Be brief.")), HELLO + "three")


def both_a_long_prompt_arrives_whole(clients, upstream):
    # A token of the simulator's is up to four characters.
    for size in (20_000, 300_000):
        assert clients.create(upstream, "tide " * (size // 5)).usage.input_tokens >= size // 4


def both_an_image_is_seen(clients, upstream):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": png()}}
    message = clients.create(upstream, [image, {"type": "text", "text": "what is this?"}])
    assert "I can see an image." in text(message)


class Report(BaseModel):
    city: str
    degrees: int
    is_dry: bool


def both_an_answer_has_the_shape_of_a_schema(clients, upstream):
    message = clients.open.messages.parse(**clients.ask(upstream, "how is the weather?"), output_format=Report)
    assert isinstance(message.parsed_output, Report)


def once_a_stop_sequence_ends_the_answer_and_is_named(clients):
    message = clients.create("a", stop_sequences=["simulator", "never"])
    equal(text(message), "Hello from the ")
    equal((message.stop_reason, message.stop_sequence), ("stop_sequence", "simulator"))


def once_a_stop_sequence_ends_the_answer_of_an_upstream_that_does_not_name_it(clients):
    message = clients.create("o", stop_sequences=["simulator", "never"])
    equal(text(message), "Hello from the ")
    # The OpenAI wire says only that the answer has stopped.
    equal((message.stop_reason, message.stop_sequence), ("end_turn", None))


def both_the_limit_of_tokens_ends_the_answer(clients, upstream):
    message = clients.create(upstream, max_tokens=3)
    equal((text(message), message.stop_reason), ("Hello from t", "max_tokens"))
    with clients.stream(upstream, max_tokens=3) as stream:
        equal(stream.get_final_message().stop_reason, "max_tokens")


def both_thinking_comes_before_the_text(clients, upstream):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    message = clients.create(upstream, "think", thinking=thinking)
    equal([block.type for block in message.content], ["thinking", "text"])
    equal(message.content[0].thinking, "The user says: think")
    with clients.stream(upstream, "think", thinking=thinking) as stream:
        equal([block.type for block in stream.get_final_message().content], ["thinking", "text"])


def once_thinking_is_signed_and_can_be_handed_back(clients):
    thinking = {"type": "enabled", "budget_tokens": 1024}
    with clients.stream("a", "think, and get weather", thinking=thinking, tools=TOOLS) as stream:
        final = stream.get_final_message()
    equal([block.type for block in final.content], ["thinking", "tool_use"])
    assert final.content[0].signature
    result = {"type": "tool_result", "tool_use_id": final.content[1].id, "content": "rain"}
    turns = [
        {"role": "user", "content": "think, and get weather"},
        {"role": "assistant", "content": final.content},
        {"role": "user", "content": [result]},
    ]
    told = clients.create("a", messages=turns, thinking=thinking, tools=TOOLS)
    equal(text(told), "The tool says: rain")


def both_parameters_of_all_kinds_are_taken(clients, upstream):
    # What the SDK no longer names, older clients still send.
    older = {"temperature": 0.3, "top_p": 0.9, "top_k": 40}
    more = {"metadata": {"user_id": "u1"}, "service_tier": "auto", "extra_body": older}
    equal(clients.create(upstream, **more).stop_reason, "end_turn")


def once_tokens_are_counted(clients):
    ask = {"model": "a-chat", "messages": [{"role": "user", "content": "hi"}]}
    counted = clients.open.messages.count_tokens(**ask).input_tokens
    equal(counted, clients.create("a").usage.input_tokens)
    assert clients.open.messages.count_tokens(**ask, system="Be brief. " * 20).input_tokens >= counted + 40


def once_tokens_are_estimated_for_an_upstream_that_does_not_count(clients):
    raw = clients.open.messages.with_raw_response.count_tokens(
        model="o-chat", messages=[{"role": "user", "content": "hi"}]
    )
    assert raw.parse().input_tokens > 0
    equal(raw.headers["x-tidegate-estimated"], "true")


def both_an_overloaded_upstream_is_a_rate_limit_error(clients, upstream):
    with raises(anthropic.RateLimitError):
        clients.create(upstream, model="429")
    with raises(anthropic.RateLimitError), clients.stream(upstream, model="429") as stream:
        stream.until_done()


def both_a_failing_upstream_is_a_server_error(clients, upstream):
    with raises(anthropic.InternalServerError):
        clients.create(upstream, model="500")


def both_a_garbled_answer_is_a_server_error(clients, upstream):
    with raises(anthropic.InternalServerError):
        clients.create(upstream, model="garbled")


def both_a_prompt_that_is_too_long_is_a_bad_request(clients, upstream):
    with raises(anthropic.BadRequestError):
        clients.create(upstream, model="context")


def both_what_the_upstream_refuses_is_a_bad_request(clients, upstream):
    stray = {"type": "tool_result", "tool_use_id": "nobody", "content": "asked"}
    with raises(anthropic.BadRequestError):
        clients.create(upstream, [stray])


def both_a_stream_that_is_cut_raises(clients, upstream):
    for model in ("cut", "cut-clean", "error-in-stream"):
        texts = []
        with raises(anthropic.APIError):
            with clients.stream(upstream, "a long enough question", model=model) as stream:
                texts.extend(stream.text_stream)
        with raises(anthropic.APIError):
            for event in clients.create(upstream, "a long enough question", model=model, stream=True):
                texts += [event.delta.text] if event.type == "content_block_delta" else []
        assert texts, f"{model}: what came before the cut did not arrive"


def both_a_stream_that_never_begins_is_a_server_error(clients, upstream):
    with raises(anthropic.InternalServerError):
        list(clients.create(upstream, model="cut-early", stream=True))


def both_a_whole_answer_that_is_cut_is_a_server_error(clients, upstream):
    for model in ("cut", "cut-clean"):
        with raises(anthropic.InternalServerError):
            clients.create(upstream, model=model)


def once_an_unknown_model_is_not_found(clients):
    with raises(anthropic.NotFoundError, "nobody-knows-it"):
        clients.create("nobody", model="knows-it")


def once_a_wrong_key_is_an_authentication_error(clients):
    for credential in ({"api_key": "wrong"}, {"auth_token": "wrong"}):
        with raises(anthropic.AuthenticationError):
            clients.locked(**credential).messages.create(**clients.ask("a"))
        with raises(anthropic.AuthenticationError):
            clients.locked(**credential).models.list()


def once_the_right_key_opens_in_either_header(clients):
    for credential in ({"api_key": clients.gateway.key}, {"auth_token": clients.gateway.key}):
        equal(text(clients.locked(**credential).messages.create(**clients.ask("a"))), HELLO + "hi")


def once_the_models_are_listed_that_the_caller_may_name(clients):
    models = list(clients.open.models.list())
    assert {"o-429", "a-429"} <= {model.id for model in models}, models
    assert all(model.type == "model" for model in models)
    equal(clients.open.models.retrieve("a-429").id, "a-429")
    narrow = clients.locked(api_key=clients.gateway.narrow_key)
    equal([model.id for model in narrow.models.list()], ["o-429"])


def once_a_model_that_the_key_may_not_name_is_as_good_as_unknown(clients):
    with raises(anthropic.NotFoundError, "a-chat"):
        clients.locked(api_key=clients.gateway.narrow_key).messages.create(**clients.ask("a"))


def both_the_headers_say_what_served(clients, upstream):
    raw = clients.open.messages.with_raw_response.create(**clients.ask(upstream))
    equal(text(raw.parse()), HELLO + "hi")
    provider = {"o": "sim-openai", "a": "sim-anthropic"}[upstream]
    equal(raw.headers["x-tidegate-model"], f"{provider}/{upstream}-chat")
    assert raw.headers["x-request-id"] and raw.headers["x-tidegate-policy"] == provider


def both_the_asynchronous_client_works(clients, upstream):
    async def ask():
        async with AsyncAnthropic(base_url=clients.gateway.open, api_key="nobody asks", max_retries=0) as client:
            wholes = await asyncio.gather(*[client.messages.create(**clients.ask(upstream)) for _ in range(8)])
            async with client.messages.stream(**clients.ask(upstream)) as stream:
                streamed = "".join([piece async for piece in stream.text_stream])
            return {text(whole) for whole in wholes} | {streamed}

    equal(asyncio.run(ask()), {HELLO + "hi"})
