"""The FHIR face for EHR vendors: /fhir/<practice>, read-only, and /oauth2/token."""
