"""The ``fhir`` reader: an EHR's FHIR R4, R4B or R5 API, searched page by page."""

from adapter.ehr.fhir.reader import FhirReader

__all__ = ["FhirReader"]
