// Expands calendars with the library that its argument names, ical4j or biweekly: `FIRST LAST CALENDAR` for each on standard input, a line
// with its days on standard output. Fails if the library's validator finds anything.

import biweekly.Biweekly;
import biweekly.ICalVersion;
import java.io.StringReader;
import java.time.*;
import java.util.*;
import net.fortuna.ical4j.data.CalendarBuilder;
import net.fortuna.ical4j.model.Period;
import net.fortuna.ical4j.model.component.VEvent;

class Expand {
  public static void main(String[] library) throws Exception {
    for (var calendars = new Scanner(System.in).useDelimiter("(?<=END:VCALENDAR\r\n)"); calendars.hasNext();) {
      var words = calendars.next().split(" ", 3);
      LocalDate first = LocalDate.parse(words[0]), last = LocalDate.parse(words[1]);
      var days = library[0].equals("ical4j") ? withIcal4j(words[2], first, last) : withBiweekly(words[2], first, last);
      System.out.println(String.join(" ", days));
    }
  }

  static Set<String> withIcal4j(String text, LocalDate first, LocalDate last) throws Exception {
    var calendar = new CalendarBuilder().build(new StringReader(text));
    expectNone(calendar.validate().getEntries(), text);
    var days = new TreeSet<String>();
    for (VEvent event : calendar.<VEvent>getComponents("VEVENT"))
      for (var day : event.<LocalDate>calculateRecurrenceSet(new Period<>(first, last))) days.add(day.getStart().toString());
    return days;
  }

  static Set<String> withBiweekly(String text, LocalDate first, LocalDate last) {
    var calendar = Biweekly.parse(text).first();
    expectNone(calendar.validate(ICalVersion.V2_0).getWarnings(), text);
    var days = new TreeSet<String>();
    for (var event : calendar.getEvents()) {
      var starts = event.getDateIterator(TimeZone.getTimeZone("UTC"));
      for (var day = first; !day.isAfter(last) && starts.hasNext(); days.add(day.toString()))
        day = LocalDate.ofInstant(starts.next().toInstant(), ZoneOffset.UTC);
    }
    return days.subSet(first.toString(), last + "~");
  }

  static void expectNone(Collection<?> findings, String text) {
    if (!findings.isEmpty()) throw new IllegalArgumentException(findings + " in\n" + text);
  }
}
