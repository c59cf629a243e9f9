// Expands calendars with ical.js: [{ics, first, last}] on standard input, the dates of each on standard output.

import ICAL from 'ical.js'
import { text } from 'node:stream/consumers'

function dates({ ics, first, last }) {
  const events = new ICAL.Component(ICAL.parse(ics)).getAllSubcomponents('vevent')
  const found = events.flatMap(component => {
    const days = new ICAL.Event(component).iterator()
    const of = []
    for (let next = days.next(); next && next.toString() <= last; next = days.next()) {
      if (!next.isDate) throw new Error(`not a whole day: ${next}`)
      of.push(next.toString())
    }
    return of
  })
  return found.filter(day => day >= first).sort()
}

console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(dates)))
