"""The table of config.toml about signing in by OpenID Connect."""

from pathlib import Path

from pydantic import Field, SecretStr

from adapter.settings.sections import SecretSection, WebUrl


class OidcSettings(SecretSection):
    """The provider that vouches for the practice's people."""

    issuer: WebUrl
    """As the provider itself writes it: its configuration is read from below it."""
    client_id: str = Field(min_length=1, max_length=200)
    client_secret_env: str | None = None
    client_secret_file: Path | None = None
    name: str = Field(default="your organization", min_length=1, max_length=60)
    """What the link on the sign-in page says."""

    @property
    def client_secret(self) -> SecretStr | None:
        """None for a public client, which PKCE alone protects. Raises ConfigError when it cannot be read."""
        return self.read_secret(env=self.client_secret_env, file=self.client_secret_file)
