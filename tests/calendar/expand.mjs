// Expands calendars with ical.js: [{ics, first, last}] on standard input, the dates of each on standard output.

import ICAL from 'ical.js'
import { text } from 'node:stream/consumers'

function dates({ ics, first, last }) {
  const events = new ICAL.Component(ICAL.parse(ics)).getAllSubcomponents('vevent')
  if (events.length !== 1) throw new Error(`${events.length} events in\n${ics}`)
  const event = new ICAL.Event(events[0])
  const found = []
  for (const days = event.iterator(); ;) {
    const next = days.next()
    if (!next || next.toString() > last) return found
    if (!next.isDate) throw new Error(`not a whole day: ${next}`)
    if (next.toString() >= first) found.push(next.toString())
  }
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(dates)))
