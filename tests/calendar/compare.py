"""For every birthday of a leap year, under both leap-day rules: the days that the service counts towards in 40 years, asked on
each 1 January, are the days that ical.js and recurring-ical-events find in its .ics file."""

import json
import os
import pathlib
import subprocess
import sys
import warnings
from datetime import date, timedelta

import icalendar
import recurring_ical_events

from service import Service

YEARS = 40
LEAP_YEAR = [date(2000, 1, 1) + timedelta(days=days) for days in range(366)]
HERE = pathlib.Path(__file__).parent


def name_of(born: date) -> str:
    return "Born" + born.strftime("%b") + "".join("abcdefghij"[int(digit)] for digit in f"{born.day:02}")


def subscription_days(first_year: int) -> list[date]:
    """When somebody may subscribe: today, and around the end of February in each year of a leap cycle."""
    years = range(first_year, first_year + 4)
    return [date.today()] + [date(year, 3, 1) - timedelta(days=days) for year in years for days in (0, 1, 2)]


def with_ical_js(calendars: list[dict]) -> list[list[str]]:
    expanded = subprocess.run(
        ["node", str(HERE / "expand.mjs")], input=json.dumps(calendars), capture_output=True, text=True, timeout=300
    )
    if expanded.returncode != 0:
        sys.exit(f"ical.js: {expanded.stderr}")
    return json.loads(expanded.stdout)


def with_recurring_ical_events(calendars: list[dict]) -> list[list[str]]:
    found = []
    for calendar in calendars:
        first, last = (date.fromisoformat(calendar[end]) for end in ("first", "last"))
        events = recurring_ical_events.of(icalendar.Calendar.from_ical(calendar["ics"])).between(first, last + timedelta(days=1))
        found.append(sorted(event["DTSTART"].dt.isoformat() for event in events))
    return found


def ask_service(rule: str) -> list[dict]:
    """The calendars that the service hands out, each with the days that it counts towards."""
    first_year = date.today().year
    with Service(rule) as service:
        for born in LEAP_YEAR:
            service.save(name_of(born), born)
        birthdays = {born: [] for born in LEAP_YEAR}
        for year in range(first_year, first_year + YEARS + 4):
            new_year = date(year, 1, 1)
            service.set_today(new_year)
            for born in LEAP_YEAR:
                birthdays[born].append(service.next_birthday(name_of(born), new_year))
        calendars = []
        for today in subscription_days(first_year):
            service.set_today(today)
            # Only the leap day's calendar depends on the day of subscription in more than its first year.
            for born in LEAP_YEAR if today == date.today() else [date(2000, 2, 29), date(2000, 2, 28), date(2000, 3, 1)]:
                first, last = date(today.year, 1, 1), date(today.year + YEARS - 1, 12, 31)
                expected = [day.isoformat() for day in birthdays[born] if first <= day <= last]
                text = service.calendar(name_of(born))
                calendars.append({"born": born, "today": today, "ics": text, "first": str(first), "last": str(last), "expected": expected})
    return calendars


def main() -> int:
    warnings.simplefilter("error")
    passed = failed = 0
    for rule in ("mar1", "feb28"):
        calendars = ask_service(rule)
        requests = [{key: calendar[key] for key in ("ics", "first", "last")} for calendar in calendars]
        for library, expand in (("ical.js", with_ical_js), ("recurring-ical-events", with_recurring_ical_events)):
            for calendar, found in zip(calendars, expand(requests), strict=True):
                if found == calendar["expected"] and len(found) == YEARS:
                    passed += 1
                    continue
                failed += 1
                different = sorted(set(found) ^ set(calendar["expected"]))
                print(f"{library}, {rule}, born {calendar['born']:%d %B}, subscribed on {calendar['today']}: {different}")
        print(f"{rule}: {len(calendars)} calendars, {YEARS} years each")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
