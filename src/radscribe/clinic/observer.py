"""Who observed: the model as a device (DICOM PS3.16 TID 1001, 1002, 1004)."""

from __future__ import annotations

import highdicom as hd
from pydicom.sr.codedict import codes

from radscribe.clinic.case import Case
from radscribe.clinic.identity import uid_of
from radscribe.clinic.objects import MANUFACTURER
from radscribe.core.version import __version__


def observation_context(case: Case) -> hd.sr.ObservationContext:
    """The model as the observer, its fingerprint as the device's serial number."""
    model = case.draft.model
    device = hd.sr.DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", model["fingerprint"]),
        name=f"{MANUFACTURER} {__version__}",
        manufacturer_name=MANUFACTURER,
        model_name=model["name"],
        serial_number=model["fingerprint"],
    )
    return hd.sr.ObservationContext(
        observer_device_context=hd.sr.ObserverContext(
            observer_type=codes.DCM.Device, observer_identifying_attributes=device
        )
    )
