"""Bulk Data Access: everything, or what changed, as files that the EHR prepares (https://hl7.org/fhir/uv/bulkdata)."""
