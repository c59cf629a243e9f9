"""Seven libraries find in the .ics file the days that the service counts towards until 2099, asked on each 1 January: for birthdays at both
ends and in the middle of each month of a leap year, under both leap-day rules. libical, ical4j and biweekly also validate the file."""

import json
import subprocess
import sys
import tempfile
import warnings
from datetime import date, datetime, time, timedelta
from functools import partial
from pathlib import Path

import icalendar
import recurring_ical_events
import vobject

from common.start import Started, clock
from common.load import Client

TODAY = date.today()
FIRST, LAST = TODAY.year, 2099
LEAP_DAY = date(2000, 2, 29)
BIRTHDAYS = [day for day in (date(2000, 1, 1) + timedelta(days=days) for days in range(366)) if day.day in (1, 17, 28, 29, 30, 31)]
# The days of subscription: today, and around the end of February in each year of a leap cycle.
SUBSCRIPTIONS = [TODAY] + [date(year, 3, 1) - timedelta(days=days) for year in range(FIRST, FIRST + 4) for days in (0, 1, 2)]


def name_of(born: date) -> str:
    return "Born" + born.strftime("%b") + "".join("abcdefghij"[int(digit)] for digit in f"{born.day:02}")


def in_javascript(library: str, calendars: list[dict]) -> list[list[str]]:
    command = ["node", Path(__file__).with_name("expand.mjs"), library]
    return json.loads(subprocess.run(command, input=json.dumps(calendars), stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout)


def with_libical(calendars: list[dict]) -> list[list[str]]:
    with tempfile.TemporaryDirectory() as folder:
        expand = Path(folder, "expand")
        subprocess.run(["gcc", "-Wall", "-Werror", "-o", expand, Path(__file__).with_name("expand.c"), "-lical"], check=True)
        command = [[expand, *(calendar[end].replace("-", "") for end in ("first", "last"))] for calendar in calendars]
        runs = (subprocess.run(words, input=calendar["ics"], stdout=subprocess.PIPE, text=True, check=True) for words, calendar in zip(command, calendars))
        return [sorted(run.stdout.split()) for run in runs]


def in_java(library: str, calendars: list[dict]) -> list[list[str]]:
    jars = (Path.home() / ".m2/repository" / line.split()[1] for line in Path(__file__).with_name("jars.sha256").read_text().splitlines())
    command = ["java", "-Dslf4j.internal.verbosity=ERROR", "-cp", ":".join(map(str, jars)), Path(__file__).with_name("Expand.java"), library]
    text = "".join(f"{calendar['first']} {calendar['last']} {calendar['ics']}" for calendar in calendars)
    return [line.split() for line in subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()]


def with_vobject(calendars: list[dict]) -> list[list[str]]:
    found = []
    for calendar in calendars:
        first, last = (datetime.combine(date.fromisoformat(calendar[end]), time()) for end in ("first", "last"))
        events = vobject.readOne(calendar["ics"]).vevent_list
        days = (day for event in events for day in event.getrruleset(addRDate=True).between(first, last, inc=True))
        found.append(sorted(day.date().isoformat() for day in days))
    return found


def with_recurring_ical_events(calendars: list[dict]) -> list[list[str]]:
    found = []
    for calendar in calendars:
        first, last = (date.fromisoformat(calendar[end]) for end in ("first", "last"))
        events = recurring_ical_events.of(icalendar.Calendar.from_ical(calendar["ics"])).between(first, last + timedelta(days=1))
        found.append(sorted(event["DTSTART"].dt.isoformat() for event in events))
    return found


LIBRARIES = {
    "ical.js": partial(in_javascript, "ical.js"),
    "node-ical": partial(in_javascript, "node-ical"),
    "recurring_ical_events": with_recurring_ical_events,
    "vobject": with_vobject,
    "libical": with_libical,
    "ical4j": partial(in_java, "ical4j"),
    "biweekly": partial(in_java, "biweekly"),
}


def next_birthday(client: Client, name: str, today: date) -> date:
    answer = client.find(name)
    assert answer.headers["birthday-today"] == today.isoformat()
    message = json.loads(answer.body)["message"]
    if message == f"Hello, {name}! Happy birthday!":
        return today
    return today + timedelta(int(message.removeprefix(f"Hello, {name}! Your birthday is in ").removesuffix(" day(s)")))


def calendars(service: Started) -> list[dict]:
    """The service's calendars, each with the days that the service counts towards."""
    client = Client(service.port)
    for born in BIRTHDAYS:
        assert client.save(name_of(born), born.isoformat()).status == 204
    birthdays = {born: [] for born in BIRTHDAYS}
    for new_year in (date(year, 1, 1) for year in range(FIRST, LAST + 1)):
        service.tell(f"{new_year}T12:00:00Z")
        for born, days in birthdays.items():
            days.append(next_birthday(client, name_of(born), new_year))
    found = []
    for today in SUBSCRIPTIONS:
        service.tell(f"{today}T12:00:00Z")
        # Only the leap day's calendar depends on the day of subscription beyond its first year.
        for born in BIRTHDAYS if today == TODAY else [LEAP_DAY + timedelta(days) for days in (-1, 0, 1)]:
            first, last = date(today.year, 1, 1), date(LAST, 12, 31)
            expected = [day.isoformat() for day in birthdays[born] if first <= day <= last]
            text = client.request("GET", f"/hello/{name_of(born)}/birthday.ics").body
            found.append({"of": f"born {born:%d %B}, subscribed on {today}", "ics": text, "first": str(first), "last": str(last), "expected": expected})
    client.connection.close()
    return found


def main() -> None:
    warnings.simplefilter("error")
    passed, failed = 0, []
    for rule in ("mar1", "feb28"):
        with clock(f'[default.birthday]\nleap_day = "{rule}"') as service:
            found = calendars(service)
        for library, expand in LIBRARIES.items():
            for calendar, days in zip(found, expand(found), strict=True):
                if days == calendar["expected"] and len(days) == LAST - int(calendar["first"][:4]) + 1:
                    passed += 1
                else:
                    failed.append(f"{library}, {rule}, {calendar['of']}: {sorted(set(days) ^ set(calendar['expected']))}")
        print(f"{rule}: {len(found)} calendars until {LAST}", flush=True)
    print(*failed, f"{passed} passed, {len(failed)} failed", sep="\n")
    sys.exit(1 if failed or not passed else 0)


main()
