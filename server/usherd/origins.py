"""Says in the words of the stores where each issuer's keys come from, or how it is asked about its tokens."""

from __future__ import annotations

from dataclasses import replace

from usherd.config.settings import IntrospectionSettings, KeySettings, Settings
from usherd.stores.introspection import Endpoint
from usherd.stores.key_sources import Discovery, GivenKeySet, IssuerKeys, KeySetUrls, KeySource, PemFile, Refresh


def issuers_with_keys(settings: Settings) -> list[IssuerKeys]:
    """The issuers whose tokens are verified by keys."""
    return [issuer_keys(keys) for keys in settings.keys if keys.introspection is None]


def issuer_keys(keys: KeySettings) -> IssuerKeys:
    """Where the keys of one issuer come from, and what they may do, in the words of the key stores."""
    refresh = keys.refresh
    made = IssuerKeys(
        name=keys.name,
        issuer=keys.issuer,
        algorithms=keys.algorithms,
        source=_source(keys),
        refresh=Refresh(
            every=refresh.every,
            stale_for=refresh.stale_for,
            removed_grace=refresh.removed_grace,
            unknown_kid_cooldown=refresh.unknown_kid_cooldown,
            timeout=refresh.timeout,
        ),
        denied=keys.denied,
        options=keys.options,
    )
    return replace(made, rsa_algorithms=keys.algorithms) if keys.algorithms_given else made


def _source(keys: KeySettings) -> KeySource:
    if keys.discovery_url is not None:
        return Discovery(url=keys.discovery_url)
    if keys.jwks_urls:
        return KeySetUrls(urls=keys.jwks_urls)
    if keys.pem_file is not None:
        return PemFile(path=keys.pem_file)
    document = keys.jwks if keys.jwks is not None else keys.jwks_file
    if document is None:
        raise ValueError(f"issuer {keys.name}: no source of keys")
    return GivenKeySet(document=document)


def endpoints(settings: Settings) -> list[Endpoint]:
    """How the other issuers are asked about their tokens."""
    digests = {issuer.name: issuer.digest for issuer in settings.policy.issuers}
    return [
        _endpoint(keys.name, digests[keys.name], keys.introspection)
        for keys in settings.keys
        if keys.introspection is not None
    ]


def _endpoint(issuer: str, digest: str, asked: IntrospectionSettings) -> Endpoint:
    return Endpoint(
        issuer=issuer,
        digest=digest,
        url=asked.url,
        client_id=asked.client_id,
        client_secret=asked.client_secret.decode(),
        client_auth=asked.client_auth,
        timeout=asked.timeout,
        cache_for=asked.cache_for,
        cache_inactive_for=asked.cache_inactive_for,
    )
