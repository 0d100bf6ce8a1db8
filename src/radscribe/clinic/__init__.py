"""Hospital standards out of a draft: DICOM structured reports, PDF, overlays, FHIR."""
