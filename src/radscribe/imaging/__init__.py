"""Reads DICOM, PNG and JPEG files into films of grey levels, the same for preparation and inference."""
