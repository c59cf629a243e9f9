// axe-core, with all its rules, finds nothing in any state of the pages: light and dark, on phones and desktops.

import assert from 'node:assert/strict'
import axe from 'axe-core'
import { test } from 'node:test'
import { NOON, api, day, together, visit } from './service.mjs'

together({ Ada: '2000-02-29', Linus: day({ years: -30 }) })

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
        await visit({ colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' }, async page => {
          await page.goto(api.url + path)
          await page.evaluate(axe.source)
          const { violations, passes } = await page.evaluate(() => window.axe.run())
          const found = violations.flatMap(({ id, nodes }) => nodes.map(node => `${id}: ${node.html}\n${node.failureSummary}`))
          assert.deepEqual(found, [])
          assert.ok(passes.some(({ id }) => id === 'color-contrast'), 'contrast was judged')
        })
      })
    }
  }
}
