// Expands a calendar with libical: its text on standard input, the first and the last day (YYYYMMDD) as arguments. Fails if libical's
// validator finds anything.

#include <libical/ical.h>
#include <stdio.h>

static char *line(char *text, size_t size, void *from) { return fgets(text, (int)size, from); }

int main(int count, char **arguments) {
  if (count != 3) return 2;
  icaltimetype first = icaltime_from_string(arguments[1]), last = icaltime_from_string(arguments[2]);
  icalparser *parser = icalparser_new();
  icalparser_set_gen_data(parser, stdin);
  icalcomponent *calendar = icalparser_parse(parser, line);
  if (!calendar || !icalrestriction_check(calendar) || icalcomponent_count_errors(calendar)) {
    fprintf(stderr, "not valid: %s\n", calendar ? icalcomponent_as_ical_string(calendar) : "");
    return 1;
  }
  icalcomponent *event = icalcomponent_get_first_component(calendar, ICAL_VEVENT_COMPONENT);
  for (; event; event = icalcomponent_get_next_component(calendar, ICAL_VEVENT_COMPONENT)) {
    icalproperty *rule = icalcomponent_get_first_property(event, ICAL_RRULE_PROPERTY);
    icalrecur_iterator *days = icalrecur_iterator_new(icalproperty_get_rrule(rule), icalcomponent_get_dtstart(event));
    icaltimetype day = icalrecur_iterator_next(days);
    for (; !icaltime_is_null_time(day) && icaltime_compare(day, last) <= 0; day = icalrecur_iterator_next(days))
      if (day.is_date && icaltime_compare(day, first) >= 0) printf("%04d-%02d-%02d\n", day.year, day.month, day.day);
  }
  return 0;
}
