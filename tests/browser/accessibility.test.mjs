// axe-core, with all its rules, finds nothing in any state of the pages: light and dark, on phones and desktops.

import assert from 'node:assert/strict'
import axe from 'axe-core'
import { test } from 'node:test'
import { NOON, api, day, together, visit } from './service.mjs'

together({ Ada: '2000-02-29', Linus: day({ years: -28 }) })

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

/** What axe judges as incomplete, or does not know. */
test('names lead to elements, lists are valid, and fields suit phones and Firefox', async () => {
  await visit({}, async page => {
    for (const path of Object.values(states)) {
      await page.goto(api.url + path)
      const wrong = await page.evaluate(() => {
        const all = selector => [...document.querySelectorAll(selector)]
        const named = element => [element.getAttribute('aria-labelledby'), element.getAttribute('aria-describedby')].join(' ').split(' ').filter(Boolean)
        const quiet = document.body.appendChild(document.createElement('i'))
        quiet.style.color = 'var(--quiet)'
        return [
          ...all('[aria-labelledby], [aria-describedby]').filter(element => named(element).some(id => !document.getElementById(id))),
          ...all('a[href^="#"]').filter(link => !document.getElementById(link.getAttribute('href').slice(1))),
          ...all('dt + dt, dt:last-child, pre[aria-label]:not([role]), [autocapitalize="off"]:not([autocorrect="off"])'),
          ...all('[placeholder]').filter(field => getComputedStyle(field, '::placeholder').color !== getComputedStyle(quiet).color),
        ].map(element => element.outerHTML)
      })
      assert.deepEqual(wrong, [], path)
    }
  })
})

test('what moves by itself ends within five seconds', async () => {
  await visit({}, async page => {
    await page.goto(api.url + states['the day itself'])
    const ends = await page.evaluate(() => document.getAnimations().map(animation => animation.effect.getComputedTiming().endTime))
    assert.ok(ends.length > 0 && Math.max(...ends) <= 5000, `${ends}`)
  })
})
