"""Settings of the processes, read from the environment (prefix `CARILLON_`) by entry points only."""

from functools import cached_property
from pathlib import Path

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything a process of Carillon can be told from outside; `.env.example` explains each.

    Times are in seconds, addresses are `host:port`.
    """

    model_config = SettingsConfigDict(env_prefix="CARILLON_", env_file=None, extra="ignore", populate_by_name=True)

    database_url: SecretStr = SecretStr("postgresql://127.0.0.1:5432/carillon")
    database_pool_size: int = Field(default=10, ge=1, le=200)
    temporal_address: str = Field(
        default="127.0.0.1:7233", validation_alias=AliasChoices("TEMPORAL_ADDRESS", "CARILLON_TEMPORAL_ADDRESS")
    )
    temporal_namespace: str = Field(
        default="default", validation_alias=AliasChoices("TEMPORAL_NAMESPACE", "CARILLON_TEMPORAL_NAMESPACE")
    )
    temporal_ui_url: str = "http://127.0.0.1:8233"
    task_queue: str = "carillon"
    # Key ring: `id:base64` pairs, comma separated, the first one seals; 32-byte AES-256 keys.
    key_ring: SecretStr = SecretStr("")
    # Accepted as `Authorization: Bearer` for what stands above tenants (creating them); empty refuses all.
    operator_key: SecretStr = SecretStr("")
    api_host: str = "127.0.0.1"
    api_port: int = 8080
    public_url: str = "http://127.0.0.1:8080"
    # Accepted notifications of one tenant that may wait for a worker; beyond it, callers are told to come back.
    line_bound: int = Field(default=100_000, ge=1)
    # Attempts that a worker process has on their way at once, at most 40 of 100 for one account.
    deliveries_at_once: int = Field(default=250, ge=1, le=5000)
    # First attempts that one workflow makes together when a tenant's line grows; 0 gives each its own workflow.
    page_size: int = Field(default=50, ge=0, le=200)
    worker_metrics_port: int = 9464
    sandboxed_workflows: bool = False
    # Seconds between two runs of housekeeping.
    housekeeping_seconds: int = Field(default=30, ge=1, le=3600)
    # Days for which housekeeping leaves rows that count for some time only, never shorter than they count.
    keep_early_events_days: int = Field(default=1, ge=1, le=366)
    keep_series_tombstones_days: int = Field(default=7, ge=7, le=366)
    keep_runs_days: int = Field(default=90, ge=31, le=3660)
    # Hosts that an account's base URL may name besides the provider's own (stand-ins, proxies).
    provider_hosts: str = ""
    home: Path | None = None
    log_format: str = Field(default="json", pattern="^(json|console)$")
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @cached_property
    def allowed_provider_hosts(self) -> frozenset[str]:
        """Returns the extra `host` or `host:port` values an account's base URL may name."""
        return frozenset(part.strip().lower() for part in self.provider_hosts.split(",") if part.strip())
