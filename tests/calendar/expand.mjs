// Expands calendars with the library that its argument names, ical.js or node-ical: [{ics, first, last}] on standard input, the dates of each on standard output.

import ICAL from 'ical.js'
import nodeIcal from 'node-ical'
import { text } from 'node:stream/consumers'

const libraries = {
  'ical.js'({ ics, last }) {
    const events = new ICAL.Component(ICAL.parse(ics)).getAllSubcomponents('vevent')
    return events.flatMap(component => {
      const days = new ICAL.Event(component).iterator()
      const of = []
      for (let next = days.next(); next && next.toString() <= last; next = days.next()) {
        if (!next.isDate) throw new Error(`not a whole day: ${next}`)
        of.push(next.toString())
      }
      return of
    })
  },
  'node-ical'({ ics, first, last }) {
    const range = { from: new Date(first), to: new Date(last) }
    const events = Object.values(nodeIcal.sync.parseICS(ics)).filter(component => component.type === 'VEVENT')
    return events.flatMap(event => nodeIcal.expandRecurringEvent(event, range)).map(({ start, isFullDay }) => {
      if (!isFullDay) throw new Error(`not a whole day: ${start}`)
      return start.toISOString().slice(0, 10)
    })
  }
}

const dates = calendar => libraries[process.argv[2]](calendar).filter(day => day >= calendar.first).sort()
console.log(JSON.stringify(JSON.parse(await text(process.stdin)).map(dates)))
