// A developer at /docs reads and tries requests.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { api, together, visit } from './service.mjs'

together()

test('without JavaScript the documentation can be read, and offers no request that it could not send', async () => {
  for (const javaScriptEnabled of [true, false]) {
    await visit({ javaScriptEnabled }, async page => {
      await page.goto(`${api.url}/docs`)
      assert.match(await page.locator('#greet').innerText(), /404/)
      const command = await page.locator('#save pre code').first().innerText()
      assert.match(command, /^curl -i -X PUT -H 'Content-Type: application\/json' -d '{"dateOfBirth":"1990-05-17"}' 'http.*\/hello\/John'$/)
      assert.equal(await page.locator('form.try').first().isVisible(), javaScriptEnabled)
    })
  }
})

test('save, greet, delete: the requests work as the page sends them', async () => {
  await visit({}, async page => {
    await page.goto(`${api.url}/docs`)
    const send = async (operation, fields = {}) => {
      const form = page.locator(`#${operation} form`)
      for (const [name, value] of Object.entries(fields)) await form.locator(`[name="${name}"]`).fill(value)
      await form.locator('.answer').evaluate(answer => answer.replaceChildren())
      const answered = page.waitForResponse(response => response.url().includes('/hello/'))
      await form.getByRole('button').click()
      await answered
      await form.locator('.answer .badge').waitFor()
      return form.locator('.answer').innerText()
    }
    assert.match(await send('save', { username: 'Tryer' }), /^204/)
    assert.match(await send('save', { username: 'Tryer', 'If-None-Match': '*' }), /^412/)
    assert.match(await send('delete', { username: 'Tryer', 'If-Match': '"a"' }), /^412/)
    assert.match(await send('greet', { username: 'Tryer', tz: 'Asia/Tokyo' }), /^200[^]*birthday-today[^]*Hello, Tryer!/)
    assert.match(await send('subscribe', { username: 'Tryer' }), /^200[^]*BEGIN:VCALENDAR/)
    assert.match(await send('greet', { username: 'a1' }), /^400[^]*invalid-username/)
    assert.match(await send('delete', { username: 'Tryer', 'If-Match': '' }), /^204/)
    assert.equal((await fetch(`${api.url}/hello/Tryer`)).status, 404)
  })
})

test('the curl command follows what is typed, quoted for a shell', async () => {
  await visit({}, async page => {
    // Safari 16 does not know `size`.
    await page.addInitScript(() => { delete URLSearchParams.prototype.size })
    await page.goto(`${api.url}/docs`)
    const article = page.locator('#greet')
    await article.locator('[name="tz"]').fill('Asia/Tokyo')
    await article.locator('[name="username"]').fill('O\'Hara')
    assert.equal(await article.locator('pre code').first().innerText(), `curl -i '${api.url}/hello/O'\\''Hara?tz=Asia%2FTokyo'`)
    await page.locator('#delete [name="If-Match"]').fill('*')
    assert.equal(await page.locator('#delete pre code').first().innerText(), `curl -i -X DELETE -H 'If-Match: *' '${api.url}/hello/John'`)
  })
})
