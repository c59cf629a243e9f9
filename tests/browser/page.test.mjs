// A visitor of the web page saves, looks up, mistypes, subscribes and deletes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NOON, api, day, service, together, visit } from './service.mjs'

together()

const inFiveDays = day({ days: 5, years: -28 })

async function save(page, name, dateOfBirth, zone) {
  const form = page.locator('#save')
  await form.getByLabel('Username').fill(name)
  await form.getByLabel('Date of birth').fill(dateOfBirth)
  if (zone !== undefined) await form.getByLabel('Time zone').fill(zone)
  await form.getByRole('button', { name: 'Save' }).click()
}

test('saving shows the countdown with the next date and its weekday in the visitor\'s language', async () => {
  await visit({ locale: 'nl-NL' }, async page => {
    await page.goto(api.url)
    await save(page, 'Ada', inFiveDays, NOON)
    await page.getByRole('heading', { name: '5 days until Ada\'s birthday' }).waitFor()
    const next = new Date(`${day({ days: 5 })}T00:00:00Z`)
    const words = new Intl.DateTimeFormat('nl-NL', { dateStyle: 'full', timeZone: 'UTC' }).format(next)
    assert.match(await page.locator('.when').innerText(), new RegExp(words))
    assert.equal(await page.locator('.when time').first().getAttribute('lang'), 'nl-NL')
    assert.equal(await page.title(), '5 days until Ada\'s birthday')
    assert.equal(new URL(page.url()).searchParams.get('username'), 'Ada')
  })
})

test('a name can be looked up by keyboard alone', async () => {
  await api.save('Grace', inFiveDays)
  await visit({}, async page => {
    await page.goto(api.url)
    await page.keyboard.press('Tab')
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the forms')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    await page.keyboard.type('Grace')
    await page.keyboard.press('Tab')
    await page.keyboard.press('ControlOrMeta+A')
    await page.keyboard.type(NOON)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: '5 days until Grace\'s birthday' }).waitFor()
  })
})

test('on the day itself the page celebrates, and stays still for those who asked for less motion', async () => {
  await api.save('Linus', day({ years: -40 }))
  const address = `${api.url}/?username=Linus&tz=${NOON.replace('+', '%2B')}`
  await visit({}, async page => {
    await page.goto(address)
    await page.getByRole('heading', { name: 'Happy birthday, Linus!' }).waitFor()
    assert.equal(await page.locator('.confetti').isVisible(), true)
    assert.doesNotMatch(await page.locator('main').innerText(), /\b0 days/)
  })
  await visit({ reducedMotion: 'reduce' }, async page => {
    await page.goto(address)
    assert.equal(await page.locator('.confetti').isVisible(), false)
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0)
  })
})

test('wrong input is answered at each field it concerns, kept for correction, and saves nothing', async () => {
  await visit({}, async page => {
    await page.goto(api.url)
    await save(page, 'Bob<b>1', day({ days: 3 }), 'Middle/Earth')
    const errors = {
      'save-username': /only ASCII letters/,
      'save-dateOfBirth': /before today/,
      'save-tz': /IANA/,
    }
    for (const [id, text] of Object.entries(errors)) {
      const field = page.locator(`#${id}`)
      assert.equal(await field.getAttribute('aria-invalid'), 'true', id)
      assert.ok((await field.getAttribute('aria-describedby')).split(' ').includes(`${id}-error`), id)
      assert.match(await page.locator(`#${id}-error`).innerText(), text)
    }
    assert.equal(await page.locator('#save-username').inputValue(), 'Bob<b>1')
    assert.equal(await page.evaluate(() => document.activeElement.id), 'save-username')
    assert.equal(await page.locator('#lookup .error').count(), 0)
    assert.equal((await fetch(`${api.url}/hello/Bob`)).status, 404)
  })
})

test('deleting asks first', async () => {
  await api.save('Mallory', inFiveDays)
  await visit({}, async page => {
    const asked = []
    let agree = false
    page.on('dialog', dialog => { asked.push(dialog.message()); return agree ? dialog.accept() : dialog.dismiss() })
    await page.goto(`${api.url}/?username=Mallory`)
    await page.getByRole('button', { name: 'Delete' }).click()
    assert.equal((await fetch(`${api.url}/hello/Mallory`)).status, 200)
    agree = true
    await page.route('**/hello/Mallory', route => route.fulfill({ status: 502, contentType: 'text/html', body: '<html>' }))
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByText('the server answered 502; try again').waitFor()
    await page.unroute('**/hello/Mallory')
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('status').getByText('The birthday of Mallory is deleted.').waitFor()
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'The birthday of Mallory is deleted.')
    assert.equal(asked.length, 3)
    assert.match(asked[0], /Mallory/)
    assert.equal((await fetch(`${api.url}/hello/Mallory`)).status, 404)
    assert.equal(new URL(page.url()).search, '')
  })
})

test('the calendar can be subscribed to and downloaded', async () => {
  await api.save('Barbara', inFiveDays)
  await visit({}, async page => {
    await page.goto(`${api.url}/?username=Barbara`)
    const link = await page.getByRole('link', { name: 'Subscribe in a calendar' }).getAttribute('href')
    assert.equal(link, `${api.url.replace('http:', 'webcal:')}/hello/Barbara/birthday.ics`)
    // A calendar app requests the same address over HTTP.
    const answer = await fetch(link.replace('webcal:', 'http:'))
    assert.match(answer.headers.get('content-type'), /^text\/calendar/)
    assert.match(await answer.text(), /BEGIN:VEVENT[^]*Barbara/)
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download' }).click()])
    assert.equal(download.suggestedFilename(), 'Barbara.ics')
  })
})

test('no time zone is filled in where the browser knows none', async () => {
  await visit({}, async page => {
    await page.addInitScript(() => {
      const { resolvedOptions } = Intl.DateTimeFormat.prototype
      Intl.DateTimeFormat.prototype.resolvedOptions = function () { return { ...resolvedOptions.call(this), timeZone: 'Etc/Unknown' } }
    })
    await page.goto(api.url)
    assert.ok(await page.locator('#zones option').count(), 'the script has run')
    for (const form of ['lookup', 'save']) assert.equal(await page.locator(`#${form}-tz`).inputValue(), '')
  })
})

test('the browser\'s time zone is offered, another can be chosen, and it decides which date is today', async () => {
  await visit({ timezoneId: 'Asia/Tokyo' }, async page => {
    await page.goto(api.url)
    for (const form of ['lookup', 'save']) assert.equal(await page.locator(`#${form}-tz`).inputValue(), 'Asia/Tokyo')
    assert.ok(await page.locator('#zones option[value="Europe/Amsterdam"]').count())
    // These two zones never have the same date.
    const shown = {}
    for (const zone of ['Pacific/Kiritimati', 'Etc/GMT+12']) {
      await save(page, 'Zoe', inFiveDays, zone)
      await page.locator('.person').waitFor()
      assert.match(await page.locator('.person').innerText(), new RegExp(zone.replace('+', '\\+')))
      shown[zone] = await page.locator('.person time').last().getAttribute('datetime')
      const answer = await fetch(`${api.url}/hello/Zoe?tz=${encodeURIComponent(zone)}`)
      assert.equal(shown[zone], answer.headers.get('birthday-today'))
    }
    assert.notEqual(shown['Pacific/Kiritimati'], shown['Etc/GMT+12'])
  })
})

for (const [rule, substitute] of [['mar1', '1 March'], ['feb28', '28 February']]) {
  test(`the leap-day rule ${rule} is explained where it matters`, async () => {
    const strict = await service({ BIRTHDAY: `{leap_day="${rule}"}` })
    try {
      await visit({}, async page => {
        await page.goto(strict.url)
        const hint = page.locator('#leap')
        assert.equal(await hint.isVisible(), false)
        await page.locator('#save-dateOfBirth').fill('2000-02-29')
        assert.match(await hint.innerText(), new RegExp(`on ${substitute}\\.`))
        await page.locator('#save-dateOfBirth').fill('2000-03-01')
        assert.equal(await hint.isVisible(), false)
        await save(page, 'Leapling', '1996-02-29')
        assert.match(await page.locator('.person .leap').innerText(), new RegExp(`on ${substitute}\\.`))
      })
    } finally {
      await strict.stop()
    }
  })
}

test('without JavaScript one can save, look up, correct and subscribe, and is told how to delete', async () => {
  await visit({ javaScriptEnabled: false }, async page => {
    await page.goto(api.url)
    assert.equal(await page.locator('#leap').isVisible(), true)
    await save(page, 'Noscript', 'x'.slice(1), '')
    assert.match(await page.locator('#save-dateOfBirth-error').innerText(), /YYYY-MM-DD/)
    await save(page, 'Noscript', day({ days: 9, years: -8 }), NOON)
    await page.getByRole('heading', { name: '9 days until Noscript\'s birthday' }).waitFor()
    assert.match(await page.locator('.when').innerText(), /day, \d+ [A-Z][a-z]+ \d{4}\.$/)
    assert.equal(await page.getByRole('button', { name: 'Delete' }).isVisible(), false)
    assert.match(await page.locator('.person').innerText(), /curl -X DELETE/)
    assert.equal(await page.getByRole('link', { name: 'Subscribe in a calendar' }).isVisible(), true)
    // If the zone is empty, the service uses its own.
    await page.locator('#lookup-tz').fill('')
    await page.getByRole('button', { name: 'Show the countdown' }).click()
    assert.match(await page.locator('.person').innerText(), /today in UTC/)
  })
})

for (const width of [320, 390, 768, 1280]) {
  test(`at ${width} pixels nothing is wider than the window, and fingers can hit every control`, async () => {
    const longest = 'W'.repeat(64)
    await api.save(longest, inFiveDays)
    await visit({ viewport: { width, height: 800 }, hasTouch: width < 700 }, async page => {
      for (const path of ['/', `/?username=${longest}`, '/?username=1&tz=x', '/docs']) {
        await page.goto(api.url + path)
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
        assert.ok(overflow <= 0, `${path}: ${overflow} pixels too wide`)
        for (const control of await page.locator('input:visible, button:visible, .button:visible, textarea:visible').all()) {
          const { height } = await control.boundingBox()
          assert.ok(height >= 44, `${path}: ${await control.evaluate(element => element.outerHTML)} is ${height} high`)
        }
      }
    })
    await visit({ viewport: { width, height: 800 }, javaScriptEnabled: false }, async page => {
      await page.goto(`${api.url}/?username=${longest}`)
      assert.ok(await page.locator('.person').evaluate(card => card.scrollWidth <= card.clientWidth), 'nothing of the card is cut off')
    })
  })
}
