// How much a first visit loads, how soon it paints, and that the layout does not shift.
//
// The time of the first paint is reported but has no limit: it depends on the machine as much as on the page. Its causes have
// limits: few bytes, and two round trips, one for the page and one for what it references.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOON, api, day, together, visit } from './service.mjs'

together({ Ada: '2000-02-29', Linus: day({ years: -28 }) })

/** Lighthouse's slow 4G: round trip 150 ms, 1.6 Mbit/s down, 750 kbit/s up. */
const SLOW_4G = { offline: false, latency: 150, downloadThroughput: 1.6e6 / 8, uploadThroughput: 750e3 / 8 }
const LIMITS = { bytes: 50 * 1024, requests: 4, layoutShift: 0 }

function measure(path) {
  return visit({ viewport: { width: 390, height: 844 }, locale: 'de-DE' }, async page => {
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
    const { firstPaint, layoutShift } = await page.evaluate(() => new Promise(resolve => {
      let layoutShift = 0
      new PerformanceObserver(list => {
        for (const entry of list.getEntries()) layoutShift += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
      new PerformanceObserver(list => {
        const firstPaint = list.getEntriesByName('first-contentful-paint')[0].startTime
        // By then, late layout shifts have happened.
        setTimeout(() => resolve({ firstPaint, layoutShift }), 500)
      }).observe({ type: 'paint', buffered: true })
    }))
    return { bytes, initiators, firstPaint: Math.round(firstPaint), layoutShift }
  })
}

const zone = encodeURIComponent(NOON)
for (const path of ['/', `/?username=Ada&tz=${zone}`, `/?username=Linus&tz=${zone}`, '/docs']) {
  test(`${path.replace(zone, '…')} over slow 4G: light and still`, async t => {
    const { bytes, initiators: [first, ...others], firstPaint, layoutShift } = await measure(path)
    t.diagnostic(`${bytes} bytes in ${1 + others.length} requests, first paint ${firstPaint} ms, layout shift ${layoutShift}`)
    assert.ok(bytes > 1000 && bytes < LIMITS.bytes, `${bytes} bytes`)
    assert.equal(first, 'other')
    assert.ok(others.length < LIMITS.requests, `${others}`)
    assert.ok(others.every(initiator => initiator === 'parser'), `something loads something else: ${others}`)
    assert.equal(layoutShift, LIMITS.layoutShift)
  })
}
