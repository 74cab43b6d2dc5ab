"""`adapter check` on the domain that mail comes from: what is missing in the DNS, and what to do about it."""

from tests.acceptance.adapter_cli import Adapter
from tests.edges.mail.name_server import name_server
from tests.edges.mail.servers import Mailbox, smtp_server


def test_check_says_what_the_senders_domain_lacks(adapter: Adapter) -> None:
    records = {"portal.example": ["v=spf1 mx -all"], "_dmarc.portal.example": []}
    with smtp_server(Mailbox()) as server, name_server(records) as address:
        mail = f"[mail]\nkind = 'smtp'\nhost = '127.0.0.1'\nport = {server.port}\nsecurity = 'none'\n"
        plain = adapter.config.read_text()
        adapter.config.write_text(f"{mail}nameservers = ['{address}']\n{plain}")
        done = adapter.run("check")
        assert done.code == 1
        said = " ".join(done.out.split())
        assert "ok main-street: SPF portal.example: v=spf1 mx -all" in said
        assert "FAIL main-street: DMARC portal.example does not say what to do with forged mail." in said
        assert "Publish a TXT record for _dmarc.portal.example" in said
        # A mail server on this machine, and nobody to ask: nothing is looked up.
        adapter.config.write_text(mail + plain)
        assert "SPF" not in adapter.run("check").out


def test_a_key_that_cannot_be_used_is_a_fault_of_the_configuration(adapter: Adapter) -> None:
    text = adapter.config.read_text()
    adapter.config.write_text(text + "[practice.mail.dkim]\nselector = 'a1'\nprivate_key_file = 'dkim.pem'\n")
    done = adapter.run("check")
    assert done.code == 1
    assert "dkim.pem" in done.out and "openssl genrsa" in " ".join(done.out.split())
