"""The same cases for every provider; one that is added without them fails here."""

import asyncio
import json
import logging

import httpx
import pytest

from domain.errors import CallbackRefused, DeliveryError, Rejected, Throttled
from providers import PROVIDERS, configure
from providers.base import Callback, MailRequest, Provider, Receipt, Unknown
from providers.transport import Transport

from .cases import CASES, LONG, REFERENCE, UNICODE, Cases, outgoing
from .conftest import Listen


def test_every_provider_has_its_cases() -> None:
    assert set(CASES) == set(PROVIDERS)
    assert {name: provider.name for name, provider in PROVIDERS.items()} == {name: name for name in PROVIDERS}


@pytest.fixture(params=sorted(PROVIDERS))
def cases(request: pytest.FixtureRequest) -> Cases:
    return CASES[request.param]


@pytest.fixture
def provider(request: pytest.FixtureRequest, cases: Cases) -> Provider:
    name = next(name for name, known in CASES.items() if known is cases)
    return configure(name, cases.config)


@pytest.mark.parametrize("text", ["Hello", UNICODE, LONG], ids=["plain", "unicode", "long"])
def test_a_text_travels_whole_with_its_reference(provider: Provider, cases: Cases, text: str) -> None:
    request = provider.request(outgoing(cases.to, cases.content(text)))
    sent = request.body if isinstance(request, MailRequest) else request.content
    assert REFERENCE.encode() in sent
    if isinstance(request, httpx.Request):
        assert text in json.loads(sent)["text"]["body"]


def test_content_and_addresses_of_another_channel_are_refused(provider: Provider, cases: Cases) -> None:
    address, content = cases.foreign
    for wrong in (outgoing(address, cases.content("Hello")), outgoing(cases.to, content)):
        with pytest.raises(Rejected):
            provider.request(wrong)


def test_half_of_a_surrogate_pair_is_refused(provider: Provider, cases: Cases) -> None:
    with pytest.raises(Rejected):
        provider.request(outgoing(cases.to, cases.content("cut \ud83d off")))


def test_an_acceptance_names_the_message(provider: Provider, cases: Cases) -> None:
    assert provider.accepted(cases.accepted).provider_message_id == cases.accepted_id


def test_an_answer_of_another_protocol_is_doubt(provider: Provider, cases: Cases) -> None:
    other = next(known for known in CASES.values() if known is not cases)
    with pytest.raises(DeliveryError) as error:
        provider.accepted(other.accepted)
    assert error.value.code == "uncertain"


def test_refusals_mean_what_the_provider_documents(provider: Provider, cases: Cases) -> None:
    meant = {}
    for name, (response, _) in cases.refusals.items():
        with pytest.raises(DeliveryError) as error:
            provider.accepted(response)
        meant[name] = type(error.value)
    assert meant == {name: expected for name, (_, expected) in cases.refusals.items()}
    assert any(issubclass(kind, Throttled) for kind in meant.values())


def test_refusals_tell_no_secrets_and_no_addresses(provider: Provider, cases: Cases) -> None:
    for response, _ in cases.refusals.values():
        with pytest.raises(DeliveryError) as error:
            provider.accepted(response)
        told = f"{error.value!r} {error.value.detail} {error.value.provider_code}"
        assert not any(secret in told for secret in cases.secrets)
        assert cases.to.value not in told


async def test_a_server_that_never_answers_runs_into_the_time_out(
    provider: Provider, cases: Cases, listen: Listen, transport: Transport
) -> None:
    async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    port = await listen(silence)
    reached = configure(provider.name, cases.at("127.0.0.1", port))
    with pytest.raises(cases.silent_server):
        await transport.send(reached.request(outgoing(cases.to, cases.content("Hello"))))


async def test_secrets_stand_in_no_repr_and_no_log(
    provider: Provider, cases: Cases, transport: Transport, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reached = configure(provider.name, cases.at("127.0.0.1", 1))
    request = reached.request(outgoing(cases.to, cases.content("Hello")))
    with pytest.raises(DeliveryError) as error:
        await transport.send(request)
    told = f"{provider!r} {reached!r} {request!r} {cases.callback!r} {error.value!r} {caplog.text}"
    assert not any(secret in told for secret in cases.secrets)


def test_an_account_can_say_how_quick_its_receipts_are(provider: Provider, cases: Cases) -> None:
    assert provider.quarantine > 0
    field = provider.config_schema()["properties"]["quarantine_seconds"]
    assert (field["type"], field["minimum"], field["maximum"]) == ("integer", 1, 86_400)
    configure(provider.name, {**cases.config, "quarantine_seconds": 30})
    for wrong in (0, 86_401, 1.5, "30", True):
        with pytest.raises(ValueError, match="quarantine_seconds"):
            configure(provider.name, {**cases.config, "quarantine_seconds": wrong})


def test_secret_fields_are_marked_in_the_schema(provider: Provider, cases: Cases) -> None:
    schema = provider.config_schema()
    marked = {name for name, field in schema["properties"].items() if field.get("writeOnly")}
    assert marked == provider.secret_fields
    assert set(cases.secrets) == {cases.config[name] for name in marked}
    assert schema["additionalProperties"] is False


def test_a_wrong_configuration_is_refused_by_the_name_of_its_field(provider: Provider, cases: Cases) -> None:
    schema = provider.config_schema()
    for name in schema["properties"]:
        with pytest.raises(ValueError, match=name):
            configure(provider.name, {**cases.config, name: {"not": "a value"}})
    for name in schema["required"]:
        with pytest.raises(ValueError, match=name):
            configure(provider.name, {key: value for key, value in cases.config.items() if key != name})
    with pytest.raises(ValueError, match="colour"):
        configure(provider.name, {**cases.config, "colour": "blue"})


def test_an_authentic_callback_is_taken_and_read(provider: Provider, cases: Cases) -> None:
    provider.authenticate(cases.callback)
    (event,) = provider.events(cases.callback)
    assert isinstance(event, Receipt)
    assert (event.reference, event.sender) == (REFERENCE, provider.sender())


def test_a_forged_callback_is_refused(provider: Provider, cases: Cases) -> None:
    for forged in cases.forged:
        with pytest.raises(CallbackRefused):
            provider.authenticate(forged)


def test_a_repeated_callback_has_the_same_keys(provider: Provider, cases: Cases) -> None:
    for callback in (cases.callback, cases.unknown):
        first, second = provider.events(callback), provider.events(Callback(body=callback.body, headers={}))
        assert [event.event_key for event in first] == [event.event_key for event in second]


def test_what_nobody_knows_is_kept(provider: Provider, cases: Cases) -> None:
    provider.authenticate(cases.unknown)
    (event,) = provider.events(cases.unknown)
    assert isinstance(event, Unknown)
    assert event.event_key


def test_there_is_no_provider_of_another_name() -> None:
    with pytest.raises(ValueError, match="pigeon"):
        configure("pigeon", {})


def test_content_and_addresses_are_never_part_of_a_repr(cases: Cases) -> None:
    told = repr(outgoing(cases.to, cases.content("private words")))
    assert "private words" not in told
    assert cases.to.value not in told
