"""The table of config.toml about the link in a Welcome email: what its reader must know, and who else may check it."""

from adapter.core.redeem import SecondFact
from adapter.settings.shared_secret import SharedSecret


class RegistrationSettings(SharedSecret):
    """``secret_*`` opens the way for a portal with a registration page of its own: docs/registration.md."""

    second_fact: SecondFact = SecondFact.BIRTH_DATE
