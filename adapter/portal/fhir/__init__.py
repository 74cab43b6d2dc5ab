"""A portal that is built on a FHIR server (R4): accounts as Person, grants as Consent."""

from adapter.portal.fhir.portal import FhirPortal

__all__ = ["FhirPortal"]
