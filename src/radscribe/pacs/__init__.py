"""Drafts in a picture archive: films by DICOMweb or DIMSE, documents stored back, once each."""
