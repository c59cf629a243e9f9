// axe-core, with every rule it has, finds nothing on any state of the pages, light and dark, on phones and desktops.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { NOON, browser, day, require, service, visit } from './service.mjs'

const { source } = require('axe-core')

let api, chromium
before(async () => {
  [api, chromium] = await Promise.all([service(), browser()])
  await api.save('Ada', '2000-02-29')
  await api.save('Linus', day({ years: -30 }))
})
after(async () => { await chromium?.close(); await api?.stop() })

const zone = encodeURIComponent(NOON)
const states = {
  'the empty page': '/',
  'a countdown': `/?username=Ada&tz=${zone}`,
  'the day itself': `/?username=Linus&tz=${zone}`,
  'errors at fields': '/?username=a1&tz=nowhere',
  'the documentation': '/docs',
}

for (const [state, path] of Object.entries(states)) {
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [360, 1280]) {
      test(`${state}, ${colorScheme}, ${width} pixels wide`, async () => {
        const { page, complaints, close } = await visit(chromium, { colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' })
        try {
          await page.goto(api.url + path)
          await page.evaluate(source)
          const { violations, passes } = await page.evaluate(() => window.axe.run())
          const found = violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html}\n${node.failureSummary}`))
          assert.deepEqual(found, [])
          assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'contrast was judged')
          assert.deepEqual(complaints, [])
        } finally {
          await close()
        }
      })
    }
  }
}
