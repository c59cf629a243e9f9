// What protects the visitor of a page, header by header, and that a foreign page cannot save in a visitor's name.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { after, before, test } from 'node:test'
import { browser, service, visit } from './service.mjs'

let api, chromium
before(async () => { [api, chromium] = await Promise.all([service(), browser()]) })
after(async () => { await chromium?.close(); await api?.stop() })

const PAGES = ['/', '/?username=Nobody', '/?username=1', '/docs']
const FILES = ['/docs/style.css', '/docs/home.css', '/docs/home.js', '/docs/docs.css', '/docs/docs.js']

for (const path of [...PAGES, ...FILES]) {
  test(`${path} allows nothing inline, nothing from elsewhere, no frame around it`, async () => {
    const { headers } = await fetch(api.url + path)
    const policy = new Map(headers.get('content-security-policy').split(';').map(rule => {
      const [name, ...sources] = rule.trim().split(/\s+/)
      return [name, sources.join(' ')]
    }))
    assert.equal(policy.get('default-src'), '\'none\'')
    for (const name of ['script-src', 'style-src', 'connect-src', 'form-action']) assert.equal(policy.get(name), '\'self\'', name)
    for (const name of ['frame-ancestors', 'base-uri']) assert.equal(policy.get(name), '\'none\'', name)
    assert.doesNotMatch([...policy.values()].join(' '), /unsafe|\*|http/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('referrer-policy'), 'same-origin')
    assert.equal(headers.get('server'), null)
    assert.equal(headers.get('strict-transport-security'), null)
  })

  test(`${path} asks for HTTPS from now on only where it was reached over HTTPS`, async () => {
    const over = async proto => (await fetch(api.url + path, { headers: { 'X-Forwarded-Proto': proto } })).headers
    assert.match((await over('https')).get('strict-transport-security'), /^max-age=31536000\b/)
    assert.equal((await over('http')).get('strict-transport-security'), null)
  })
}

test('no page holds anything inline or from another site', async () => {
  for (const path of PAGES) {
    const text = await (await fetch(api.url + path)).text()
    assert.doesNotMatch(text, /<style|\sstyle=|\son[a-z]+=|javascript:/i, path)
    for (const [, address] of text.matchAll(/(?:src|href|action)="([^"]*)"/g)) assert.match(address, /^(\/|#|data:image|webcal:)/, path)
    for (const [tag] of text.matchAll(/<script[^>]*>/g)) assert.match(tag, /src="\/docs\//, path)
  }
})

test('nobody keeps a page about a person; other pages are kept and asked about', async () => {
  await api.save('Kept', '1990-05-17')
  const about = await fetch(`${api.url}/?username=Kept`)
  assert.equal(about.headers.get('cache-control'), 'no-store')
  assert.equal(about.headers.get('etag'), null)
  for (const path of ['/', '/docs', ...FILES]) {
    const first = await fetch(api.url + path)
    const tag = first.headers.get('etag')
    const again = await fetch(api.url + path, { headers: { 'If-None-Match': tag } })
    assert.equal(again.status, 304, path)
    assert.equal((await fetch(api.url + path, { headers: { 'If-None-Match': '"other"' } })).status, 200, path)
  }
})

test('the form is taken from this service\'s own page and from programs, and refused from anywhere else', async () => {
  const save = (name, headers) => fetch(`${api.url}/save`, {
    method: 'POST', redirect: 'manual', headers, body: new URLSearchParams({ username: name, dateOfBirth: '1990-05-17' }),
  })
  for (const headers of [{}, { Origin: api.url }, { 'Sec-Fetch-Site': 'same-origin' }, { 'Sec-Fetch-Site': 'none' }]) {
    const answer = await save('Own', headers)
    assert.equal(answer.status, 303, JSON.stringify(headers))
    assert.equal(answer.headers.get('location'), '/?username=Own')
  }
  const foreign = [
    { Origin: 'https://other.example' }, { Origin: 'null' }, { Origin: 'http://127.0.0.1:1' }, { Origin: `${api.url}.other.example` },
    { 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }, { Origin: api.url, 'Sec-Fetch-Site': 'cross-site' },
  ]
  for (const headers of foreign) {
    const answer = await save('Foreign', headers)
    assert.equal(answer.status, 403, JSON.stringify(headers))
    assert.equal((await answer.json()).type, '/docs#foreign-origin')
  }
  assert.equal((await fetch(`${api.url}/hello/Foreign`)).status, 404)
})

test('in a real browser another site\'s page can neither save nor delete nor frame', async () => {
  await api.save('Target', '1990-05-17')
  const attacker = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end(`
    <form method="post" action="${api.url}/save"><input name="username" value="Forged"><input name="dateOfBirth" value="1990-05-17"></form>
    <form id="override" method="post" action="${api.url}/hello/Target"><input name="_method" value="delete"></form>
    <iframe src="${api.url}/?username=Target"></iframe>`)).listen(0, '127.0.0.1')
  await once(attacker, 'listening')
  // Another name of the same machine: for a browser, another site.
  const evil = `http://localhost:${attacker.address().port}/`
  const { page, close } = await visit(chromium)
  try {
    await page.goto(evil)
    assert.equal(await page.frames()[1].locator('.person, form').count(), 0)
    const deleted = await page.evaluate(url => fetch(url, { method: 'DELETE' }).then(() => 'sent', () => 'refused'), `${api.url}/hello/Target`)
    assert.equal(deleted, 'refused')
    for (const [form, status] of [['form:first-of-type', 403], ['#override', 405]]) {
      const another = await page.context().newPage()
      await another.goto(evil)
      const [answer] = await Promise.all([
        another.waitForResponse(response => response.request().method() === 'POST'),
        another.locator(form).evaluate(element => element.submit()),
      ])
      assert.equal(answer.status(), status)
    }
    assert.equal((await fetch(`${api.url}/hello/Target`)).status, 200)
    assert.equal((await fetch(`${api.url}/hello/Forged`)).status, 404)
  } finally {
    await close()
    attacker.close()
    attacker.closeAllConnections()
  }
})
