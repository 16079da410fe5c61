"""The one way to Temporal: one namespace, one data converter, one codec, for everyone."""

import dataclasses

from temporalio.client import Client
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.runtime import Runtime

from sealing import KeyRing
from workflows.codec import SealingCodec


def data_converter(key_ring: KeyRing) -> DataConverter:
    """Returns the converter of every client, worker and replayer; failures are sealed like payloads."""
    return dataclasses.replace(
        DataConverter.default,
        payload_codec=SealingCodec(key_ring),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    address: str,
    *,
    namespace: str,
    key_ring: KeyRing,
    identity: str | None = None,
    runtime: Runtime | None = None,
    lazy: bool = False,
) -> Client:
    """Returns a client; a `lazy` one connects when it is first used and so cannot start workflows eagerly.

    `identity` names this process in histories; its id and host when it is left out.
    """
    return await Client.connect(
        address,
        namespace=namespace,
        data_converter=data_converter(key_ring),
        identity=identity,
        runtime=runtime,
        lazy=lazy,
    )
