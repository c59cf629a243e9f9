// The real service with an empty database, and a real browser.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before } from 'node:test'
import { chromium as engine } from 'playwright-core'

// milliseconds for one step on a page, enough for a busy machine
const PATIENCE = 60_000

const START = new Date()

/** A time zone in which it was about noon when the tests began, so that its date does not change while they run. */
export const NOON = (() => {
  const behind = START.getUTCHours() - 12
  return behind === 0 ? 'Etc/GMT' : `Etc/GMT${behind > 0 ? '+' : '-'}${Math.abs(behind)}`
})()

/** Today's date in the zone `NOON` (the UTC date at the start), moved by days and years, as YYYY-MM-DD. Only multiples of four years keep a 29 February. */
export function day({ days = 0, years = 0 } = {}) {
  const date = new Date(Date.UTC(START.getUTCFullYear() + years, START.getUTCMonth(), START.getUTCDate() + days))
  return date.toISOString().slice(0, 10)
}

/** Starts the service with examples/start.rs; `settings` are as in ROCKET_*. `stop` ends it. */
export async function service(settings = {}) {
  const words = Object.entries({ LIFECYCLE: '{drain=0}', ...settings }).map(([key, value]) => `${key}=${value}`)
  const child = spawn(process.env.START, ['service', ...words], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const [line] = await Promise.race([
    once(createInterface(child.stdout), 'line'), ended.then(([code]) => { throw new Error(`the service ended with code ${code}`) }),
  ])
  const { url } = JSON.parse(line)
  const save = async (name, dateOfBirth) => {
    const answer = await fetch(`${url}/hello/${name}?tz=${encodeURIComponent(NOON)}`, {
      method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dateOfBirth }),
    })
    if (answer.status !== 204) throw new Error(`saving ${name}: ${answer.status} ${await answer.text()}`)
  }
  const stop = async () => {
    child.stdin.end()
    await ended
  }
  return { url, save, stop }
}

/** One service and one browser for all tests of a file. `people`: names and dates of birth to save first. */
export let api, chromium
export function together(people = {}) {
  before(async () => {
    [api, chromium] = await Promise.all([service(), browser()])
    for (const [name, born] of Object.entries(people)) await api.save(name, born)
  })
  after(async () => { await chromium?.close(); await api?.stop() })
}

/** Headless Chromium that talks only to the service: no updates, no sync, no background traffic. */
export const browser = () => engine.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    // Chromium refuses to start its sandbox as root, which is the usual user in containers and CI.
    ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic',
  ],
})

/** Runs `steps` with a new visitor's page, then checks that no script failed and nothing was blocked. */
export async function visit(options, steps, inside = chromium) {
  const context = await inside.newContext({ locale: 'en-GB', timezoneId: 'Europe/Amsterdam', ...options })
  try {
    context.setDefaultTimeout(PATIENCE)
    const page = await context.newPage()
    const complaints = []
    page.on('pageerror', error => complaints.push(error.message))
    page.on('console', message => {
      const expected = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !expected) complaints.push(message.text())
    })
    const result = await steps(page)
    assert.deepEqual(complaints, [])
    return result
  } finally {
    await context.close()
  }
}
