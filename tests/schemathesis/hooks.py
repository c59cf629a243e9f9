"""Two rules that a schema cannot express: a time zone is in the IANA database, and a date of birth is before today.

Schemathesis treats whatever matches the schema as valid and expects the service to accept it. In requests that are meant to be valid,
this hook replaces invented zones with real ones and future dates with past ones. Requests that are meant to be invalid stay as they are.
"""

import datetime

import schemathesis

ZONES = ["UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kathmandu", "Pacific/Kiritimati", "Etc/GMT+12"]
LATEST = "1999-12-31"


@schemathesis.hook
def before_call(context, case, kwargs):
    if not case.meta.generation.mode.is_positive:
        return
    body = case.body if isinstance(case.body, dict) else {}
    for fields in (case.query or {}, body):
        zone = fields.get("tz", "UTC")
        if zone not in ZONES:
            fields["tz"] = ZONES[len(zone) % len(ZONES)]
    born = body.get("dateOfBirth")
    if born is not None and (born > LATEST or born < "0001"):
        body["dateOfBirth"] = str(datetime.date.fromisoformat(LATEST) - datetime.timedelta(days=sum(map(ord, born))))
