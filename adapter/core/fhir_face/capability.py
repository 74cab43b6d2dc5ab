"""What this server says of itself: the CapabilityStatement and the SMART configuration. The same for every practice.

Sources: http://hl7.org/fhir/R4/capabilitystatement.html, https://hl7.org/fhir/smart-app-launch/conformance.html
"""

from adapter.core.fhir_face.elements import Element, coded
from adapter.core.fhir_face.scopes import TYPES
from adapter.core.fhir_face.search import PARAMS, Kind

FHIR_VERSION = "4.0.1"
_OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
_SECURITY = "http://terminology.hl7.org/CodeSystem/restful-security-service"
_SEARCH_TYPES = {Kind.ID: "token", Kind.TOKEN: "token", Kind.DATE: "date", Kind.REFERENCE: "reference"}
_WHAT = {
    "Person": "A portal account: who its user is. Whose chart it opens stands in Consent.",
    "Consent": "A grant: this Family Contact may open this chart, or may not, and on what Authority.",
    "Communication": "A Welcome email: whether it was sent, and whether the parent has registered since.",
    "Task": "A finding: what a human should look at, with the step that fixes it.",
    "AuditEvent": "An entry of the audit trail.",
}


def capability_statement(base: str, token_url: str, *, version: str, date: str) -> Element:
    """What is served below ``base``: read and search of five types, for SMART Backend Services clients."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": date,
        "kind": "instance",
        "software": {"name": "fhir-portal-adapter", "version": version},
        "implementation": {"description": "What the portal adapter has decided and sent", "url": base},
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "security": {
                    "extension": [{"url": _OAUTH, "extension": [{"url": "token", "valueUri": token_url}]}],
                    "cors": False,
                    "service": [coded(_SECURITY, "SMART-on-FHIR", "SMART-on-FHIR")],
                    "description": "OAuth 2.0 client credentials with private_key_jwt and SMART system scopes.",
                },
                "resource": [_resource(kind) for kind in TYPES],
            }
        ],
    }


def _resource(kind: str) -> Element:
    return {
        "type": kind,
        "documentation": _WHAT[kind],
        "interaction": [{"code": "read"}, {"code": "search-type"}],
        "versioning": "versioned",
        "readHistory": False,
        "conditionalRead": "full-support",
        "searchParam": [
            {"name": name, "type": _SEARCH_TYPES[param.kind]}
            | ({"documentation": param.documentation} if param.documentation else {})
            for name, param in sorted(PARAMS[kind].items())
        ],
    }


def smart_configuration(token_url: str) -> Element:
    """``.well-known/smart-configuration``."""
    return {
        "token_endpoint": token_url,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
        "scopes_supported": ["system/*.read", "system/*.rs", *(f"system/{kind}.rs" for kind in TYPES)],
        "capabilities": ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    }
