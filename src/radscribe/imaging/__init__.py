"""A file becomes a film: DICOM, PNG and JPEG to grey levels, used alike by preparation and by inference."""
