"""The OpenAI SDK. A check named `both_…` runs with an upstream of either dialect: `o` or `a`."""

import asyncio
import json

import openai
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from common import CARD, LONG, PRIVATE, SECRET, SLOW_ANSWER_TAKES, WEATHER, equal, named_checks, png, quicker_than, raises

TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"To {name}.", "parameters": WEATHER}}
    for name in ("get_weather", "book_trip")
]
HELLO = "Hello from the simulator. You said: "


def checks(gateway):
    clients = Clients(gateway)
    return named_checks("openai", globals(), clients)


class Clients:
    def __init__(self, gateway):
        self.gateway = gateway
        self.open = OpenAI(base_url=f"{gateway.open}/v1", api_key="nobody asks", max_retries=0)

    def locked(self, key):
        return OpenAI(base_url=f"{self.gateway.locked}/v1", api_key=key, max_retries=0)

    def create(self, upstream, content="hi", model="chat", **more):
        messages = more.pop("messages", [{"role": "user", "content": content}])
        return self.open.chat.completions.create(model=f"{upstream}-{model}", messages=messages, **more)


def both_a_plain_answer_with_usage(clients, upstream):
    answer = clients.create(upstream)
    choice = answer.choices[0]
    equal((answer.object, choice.message.role, choice.finish_reason), ("chat.completion", "assistant", "stop"))
    equal(choice.message.content, HELLO + "hi")
    assert answer.id and answer.created > 1_700_000_000, f"it was made at {answer.created}"
    assert answer.usage.prompt_tokens > 0 and answer.usage.completion_tokens > 0
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens)


def both_a_stream_says_what_a_whole_answer_says(clients, upstream):
    chunks = list(clients.create(upstream, "a stream", stream=True))
    texts = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert len(texts) > 3
    equal("".join(texts), clients.create(upstream, "a stream").choices[0].message.content)
    equal(chunks[0].choices[0].delta.role, "assistant")
    equal([c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason], ["stop"])
    equal(len({chunk.id for chunk in chunks}), 1)


def both_a_provider_sees_placeholders_and_the_caller_its_own_words(clients, upstream):
    seen = clients.create(upstream, PRIVATE, model="placeholder").choices[0].message.content
    assert SECRET not in seen and CARD not in seen and "<EMAIL_1" in seen, seen
    equal(clients.create(upstream, PRIVATE, model="private").choices[0].message.content, HELLO + PRIVATE)
    for model, expected in (("placeholder", None), ("private", HELLO + PRIVATE)):
        chunks = list(clients.create(upstream, PRIVATE, model=model, stream=True))
        said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        assert expected is None and SECRET not in said and "<EMAIL_1" in said or said == expected, said


def both_a_stream_ends_with_usage_if_that_was_asked_for(clients, upstream):
    asked = list(clients.create(upstream, stream=True, stream_options={"include_usage": True}))
    equal([bool(chunk.usage) for chunk in asked], [False] * (len(asked) - 1) + [True])
    equal(asked[-1].choices, [])
    streamed, whole = asked[-1].usage, clients.create(upstream).usage
    equal(streamed.prompt_tokens, whole.prompt_tokens)
    equal(streamed.completion_tokens, whole.completion_tokens)


def both_a_stream_has_no_usage_if_that_was_not_asked_for(clients, upstream):
    for chunk in clients.create(upstream, stream=True):
        assert chunk.usage is None and chunk.choices, chunk


def both_a_stream_arrives_while_it_is_made(clients, upstream):
    with quicker_than(SLOW_ANSWER_TAKES), clients.create(upstream, LONG, model="slow", stream=True) as stream:
        first = next(c for c in stream if c.choices and c.choices[0].delta.content)
        assert first.choices[0].finish_reason is None


def both_the_stream_helper_puts_an_answer_together(clients, upstream):
    messages = [{"role": "user", "content": "put it together"}]
    with clients.open.chat.completions.stream(model=f"{upstream}-chat", messages=messages) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert {"content.delta", "content.done"} <= kinds, kinds
    equal(final.choices[0].message.content, HELLO + "put it together")


def both_a_tool_is_called_and_its_result_is_read(clients, upstream):
    messages = [{"role": "user", "content": "please get weather for me"}]
    answer = clients.create(upstream, messages=messages, tools=TOOLS)
    choice = answer.choices[0]
    equal((choice.finish_reason, len(choice.message.tool_calls)), ("tool_calls", 1))
    call = choice.message.tool_calls[0]
    equal((call.type, call.function.name), ("function", "get_weather"))
    equal(set(json.loads(call.function.arguments)), {"city", "days"})
    messages += [choice.message, {"role": "tool", "tool_call_id": call.id, "content": "12 degrees"}]
    told = clients.create(upstream, messages=messages, tools=TOOLS).choices[0]
    equal((told.message.content, told.finish_reason), ("The tool says: 12 degrees", "stop"))


def both_a_streamed_tool_call_comes_in_pieces(clients, upstream):
    calls, arguments, finish = {}, {}, None
    for chunk in clients.create(upstream, "get weather, then book trip", tools=TOOLS, stream=True):
        for choice in chunk.choices:
            finish = choice.finish_reason or finish
            for call in choice.delta.tool_calls or []:
                if call.id:
                    assert call.index not in calls, "an id came twice"
                    calls[call.index] = call.function.name
                arguments[call.index] = arguments.get(call.index, "") + (call.function.arguments or "")
    equal(calls, {0: "get_weather", 1: "book_trip"})
    for text in arguments.values():
        equal(set(json.loads(text)), {"city", "days"})
    equal(finish, "tool_calls")


def both_a_streamed_tool_call_is_put_together_by_the_helper(clients, upstream):
    messages = [{"role": "user", "content": "get weather"}]
    with clients.open.chat.completions.stream(model=f"{upstream}-chat", messages=messages, tools=TOOLS) as stream:
        stream.until_done()
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    equal((call.function.name, set(json.loads(call.function.arguments))), ("get_weather", {"city", "days"}))


def both_a_tool_is_forced(clients, upstream):
    forced = {"type": "function", "function": {"name": "book_trip"}}
    for choice, name in ((forced, "book_trip"), ("required", "get_weather")):
        calls = clients.create(upstream, tools=TOOLS, tool_choice=choice).choices[0].message.tool_calls
        equal([call.function.name for call in calls], [name])


def both_a_tool_is_forbidden(clients, upstream):
    answer = clients.create(upstream, "get weather", tools=TOOLS, tool_choice="none")
    equal((answer.choices[0].message.tool_calls, answer.choices[0].finish_reason), (None, "stop"))


def both_several_tools_are_called_at_once_unless_forbidden(clients, upstream):
    both = clients.create(upstream, "get weather, then book trip", tools=TOOLS).choices[0].message
    equal([call.function.name for call in both.tool_calls], ["get_weather", "book_trip"])
    one = clients.create(upstream, "get weather, then book trip", tools=TOOLS, parallel_tool_calls=False)
    equal(len(one.choices[0].message.tool_calls), 1)
    results = [{"role": "tool", "tool_call_id": c.id, "content": c.function.name} for c in both.tool_calls]
    messages = [{"role": "user", "content": "get weather, then book trip"}, both, *results]
    told = clients.create(upstream, messages=messages, tools=TOOLS).choices[0].message.content
    equal(told, "The tool says: get_weather; book_trip")


def both_a_system_prompt_reaches_the_model(clients, upstream):
    plain = clients.create(upstream).usage.prompt_tokens
    for role in ("system", "developer"):
        messages = [{"role": role, "content": "Be brief. " * 20}, {"role": "user", "content": "hi"}]
        assert clients.create(upstream, messages=messages).usage.prompt_tokens >= plain + 40, role


def both_a_conversation_of_many_turns_is_read(clients, upstream):
    turns = [("system", "Be brief."), ("user", "one"), ("assistant", "1"), ("user", "two"), ("assistant", "2")]
    messages = [{"role": role, "content": text} for role, text in turns]
    messages.append({"role": "user", "content": [{"type": "text", "text": "three"}]})
    equal(clients.create(upstream, messages=messages).choices[0].message.content, HELLO + "three")


def both_a_long_prompt_arrives_whole(clients, upstream):
    # A token of the simulator's is up to four characters.
    for size in (20_000, 300_000):
        assert clients.create(upstream, "tide " * (size // 5)).usage.prompt_tokens >= size // 4


def both_an_image_is_seen(clients, upstream):
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png()}"}}
    answer = clients.create(upstream, [{"type": "text", "text": "what is this?"}, image])
    assert "I can see an image." in answer.choices[0].message.content


class Report(BaseModel):
    city: str
    degrees: int
    is_dry: bool


def both_an_answer_has_the_shape_of_a_schema(clients, upstream):
    messages = [{"role": "user", "content": "how is the weather?"}]
    answer = clients.open.chat.completions.parse(
        model=f"{upstream}-chat", messages=messages, response_format=Report
    )
    assert isinstance(answer.choices[0].message.parsed, Report)


def both_a_stop_sequence_ends_the_answer(clients, upstream):
    choice = clients.create(upstream, stop=["simulator", "never"]).choices[0]
    equal((choice.message.content, choice.finish_reason), ("Hello from the ", "stop"))


def both_the_limit_of_tokens_ends_the_answer(clients, upstream):
    for limit in ({"max_tokens": 3}, {"max_completion_tokens": 3}):
        choice = clients.create(upstream, **limit).choices[0]
        equal((choice.message.content, choice.finish_reason), ("Hello from t", "length"))
        chunks = list(clients.create(upstream, stream=True, **limit))
        equal(chunks[-1].choices[0].finish_reason, "length")


def both_parameters_of_all_kinds_are_taken(clients, upstream):
    more = {"temperature": 0.3, "top_p": 0.9, "user": "u1", "metadata": {"a": "b"}, "store": False, "seed": 7}
    equal(clients.create(upstream, **more).choices[0].finish_reason, "stop")


def once_several_answers_are_given(clients):
    answer = clients.create("o", n=2)
    equal([choice.index for choice in answer.choices], [0, 1])
    chunks = list(clients.create("o", n=2, stream=True))
    equal({choice.index for chunk in chunks for choice in chunk.choices}, {0, 1})


def both_an_overloaded_upstream_is_a_rate_limit_error(clients, upstream):
    with raises(openai.RateLimitError):
        clients.create(upstream, model="429")
    with raises(openai.RateLimitError):
        clients.create(upstream, model="429", stream=True)


def both_a_failing_upstream_is_a_server_error(clients, upstream):
    with raises(openai.InternalServerError):
        clients.create(upstream, model="500")


def both_a_garbled_answer_is_a_server_error(clients, upstream):
    with raises(openai.InternalServerError):
        clients.create(upstream, model="garbled")


def both_a_prompt_that_is_too_long_is_a_bad_request(clients, upstream):
    with raises(openai.BadRequestError):
        clients.create(upstream, model="context")


def both_what_the_upstream_refuses_is_a_bad_request(clients, upstream):
    with raises(openai.BadRequestError):
        clients.create(upstream, messages=[{"role": "tool", "tool_call_id": "nobody", "content": "asked"}])


def both_a_stream_that_is_cut_raises(clients, upstream):
    for model in ("cut", "cut-clean", "error-in-stream"):
        texts = []
        with raises(openai.APIError):
            for chunk in clients.create(upstream, "a long enough question", model=model, stream=True):
                texts += [choice.delta.content for choice in chunk.choices if choice.delta.content]
        assert texts, f"{model}: what came before the cut did not arrive"


def both_a_stream_that_never_begins_is_a_server_error(clients, upstream):
    with raises(openai.InternalServerError):
        list(clients.create(upstream, model="cut-early", stream=True))


def both_a_whole_answer_that_is_cut_is_a_server_error(clients, upstream):
    for model in ("cut", "cut-clean"):
        with raises(openai.InternalServerError):
            clients.create(upstream, model=model)


def once_an_unknown_model_is_not_found(clients):
    with raises(openai.NotFoundError, "nobody-knows-it"):
        clients.create("nobody", model="knows-it")


def once_a_wrong_key_is_an_authentication_error(clients):
    for key in ("wrong", "sk-tg-wrong"):
        with raises(openai.AuthenticationError):
            clients.locked(key).chat.completions.create(model="o-chat", messages=[{"role": "user", "content": "hi"}])
        with raises(openai.AuthenticationError):
            clients.locked(key).models.list()


def once_the_right_key_opens(clients):
    client = clients.locked(clients.gateway.key)
    answer = client.chat.completions.create(model="o-chat", messages=[{"role": "user", "content": "hi"}])
    equal(answer.choices[0].message.content, HELLO + "hi")


def once_the_models_are_listed_that_the_caller_may_name(clients):
    models = list(clients.open.models.list())
    assert {"o-429", "a-429"} <= {model.id for model in models}, models
    assert all(model.object == "model" for model in models)
    equal(clients.open.models.retrieve("a-429").id, "a-429")
    narrow = clients.locked(clients.gateway.narrow_key)
    equal([model.id for model in narrow.models.list()], ["o-429"])


def once_a_model_that_the_key_may_not_name_is_as_good_as_unknown(clients):
    client = clients.locked(clients.gateway.narrow_key)
    with raises(openai.NotFoundError, "o-chat"):
        client.chat.completions.create(model="o-chat", messages=[{"role": "user", "content": "hi"}])


def once_texts_are_embedded(clients):
    answer = clients.open.embeddings.create(model="o-embed", input=["one", "two"])
    equal([item.index for item in answer.data], [0, 1])
    assert all(isinstance(number, float) for item in answer.data for number in item.embedding)


def both_the_headers_say_what_served(clients, upstream):
    messages = [{"role": "user", "content": "hi"}]
    raw = clients.open.chat.completions.with_raw_response.create(model=f"{upstream}-chat", messages=messages)
    equal(raw.parse().choices[0].message.content, HELLO + "hi")
    provider = {"o": "sim-openai", "a": "sim-anthropic"}[upstream]
    equal(raw.headers["x-tidegate-model"], f"{provider}/{upstream}-chat")
    assert raw.headers["x-request-id"] and raw.headers["x-tidegate-policy"] == provider
    answer = raw.parse()
    equal(answer._request_id, raw.headers["x-request-id"])


def both_an_error_has_the_id_of_its_request(clients, upstream):
    try:
        clients.create(upstream, model="500")
    except openai.APIStatusError as error:
        assert error.request_id and error.body["message"]
    else:
        raise AssertionError("nothing was raised")


def both_the_asynchronous_client_works(clients, upstream):
    async def ask():
        async with AsyncOpenAI(base_url=f"{clients.gateway.open}/v1", api_key="nobody asks", max_retries=0) as client:
            messages = [{"role": "user", "content": "hi"}]
            asks = [client.chat.completions.create(model=f"{upstream}-chat", messages=messages) for _ in range(8)]
            wholes = await asyncio.gather(*asks)
            stream = await client.chat.completions.create(model=f"{upstream}-chat", messages=messages, stream=True)
            texts = [c.choices[0].delta.content or "" async for c in stream if c.choices]
            return {whole.choices[0].message.content for whole in wholes} | {"".join(texts)}

    equal(asyncio.run(ask()), {HELLO + "hi"})
