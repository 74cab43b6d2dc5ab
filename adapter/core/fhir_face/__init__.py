"""What an EHR sees of the adapter: accounts, grants, Welcome emails and findings as FHIR R4 resources, as plain values.

Person · Consent · Communication · Task; AuditEvent is ``jobs.audit_fhir``'s. Every element is one of R4
(http://hl7.org/fhir/R4); R4B has not changed these types, so that fhir.resources' R4B models check them in the tests.
"""
