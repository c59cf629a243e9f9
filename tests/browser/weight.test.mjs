// How much a first visit loads, in how many round trips, and that the layout does not shift.
//
// How soon it paints depends on the machine as much as on the page, so that has no limit. Its causes have: few bytes, and two
// round trips, one for the page and one for what it references.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOON, api, day, together, visit } from './service.mjs'

together({ Ada: '2000-02-29', Linus: day({ years: -28 }) })

/** Lighthouse's slow 4G: round trip 150 ms, 1.6 Mbit/s down, 750 kbit/s up. */
const SLOW_4G = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 }
const PHONE = { viewport: { width: 390, height: 844 }, locale: 'de-DE' }

const zone = encodeURIComponent(NOON)
for (const path of ['/', `/?username=Ada&tz=${zone}`, `/?username=Linus&tz=${zone}`, '/docs']) {
  test(`${path.replace(zone, '…')} over slow 4G: light and still`, () => visit(PHONE, async page => {
    const devtools = await page.context().newCDPSession(page)
    await devtools.send('Network.enable')
    await devtools.send('Network.emulateNetworkConditions', SLOW_4G)
    let bytes = 0
    const initiators = []
    devtools.on('Network.loadingFinished', ({ encodedDataLength }) => { bytes += encodedDataLength })
    devtools.on('Network.requestWillBeSent', ({ request, initiator }) => {
      if (!request.url.startsWith('data:')) initiators.push(initiator.type)
    })
    await page.goto(api.url + path, { waitUntil: 'networkidle' })
    const layoutShift = await page.evaluate(() => new Promise(resolve => {
      let sum = 0
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) sum += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
      // Half a second after the first paint, late layout shifts have happened.
      new PerformanceObserver(() => setTimeout(() => resolve(sum), 500)).observe({ type: 'paint', buffered: true })
    }))
    assert.ok(bytes > 1000 && bytes < 50 * 1024, `${bytes} bytes`)
    assert.match(initiators.join(' '), /^other( parser){0,3}$/, 'the page, and at most three files that it references itself')
    assert.equal(layoutShift, 0)
  }))
}
