"""fhir-portal-adapter: keeps a patient portal's accounts equal to what the EHR says about families."""

__version__ = "0.1.0"
