// The real binary on a free port with an empty database, and a real browser.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Packages are installed outside the repository: see `run`. */
export const require = createRequire(join(process.env.MODULES, 'package.json'))
const { chromium } = require('playwright-core')

const PATIENCE = 20_000

const START = new Date()

/** A time zone in which it was about noon when the tests began, so that its date does not change under them. */
export const NOON = (() => {
  const behind = START.getUTCHours() - 12
  return behind === 0 ? 'Etc/GMT' : `Etc/GMT${behind > 0 ? '+' : '-'}${Math.abs(behind)}`
})()

/** Today's date at `NOON`, which is that of UTC at the start, moved by days and years, as YYYY-MM-DD. */
export function day({ days = 0, years = 0 } = {}) {
  const date = new Date(Date.UTC(START.getUTCFullYear() + years, START.getUTCMonth(), START.getUTCDate() + days))
  return date.toISOString().slice(0, 10)
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}

/** Starts the service; `stop` ends it and removes its database. */
export async function service(settings = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'birthday-browser-'))
  const port = await freePort()
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('ROCKET_')))
  const child = spawn(process.env.BIRTHDAY_API, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...own, ROCKET_PORT: String(port), ROCKET_LIFECYCLE: '{drain=0}', ...settings },
  })
  const ended = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  const save = async (name, dateOfBirth) => {
    const answer = await fetch(`${url}/hello/${name}?tz=${encodeURIComponent(NOON)}`, {
      method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ dateOfBirth }),
    })
    if (answer.status !== 204) throw new Error(`saving ${name}: ${answer.status} ${await answer.text()}`)
  }
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    await rm(folder, { recursive: true })
  }
  for (const started = Date.now(); ; await sleep(50)) {
    const ready = await fetch(`${url}/readyz`).then(answer => answer.ok, () => false)
    if (ready) return { url, save, stop }
    if (child.exitCode !== null) throw new Error(`the service ended with code ${child.exitCode}`)
    if (Date.now() - started > PATIENCE) {
      await stop()
      throw new Error('the service was not ready in time')
    }
  }
}

/** Headless Chromium that talks to the service alone: no updates, no sync, nothing of its own in the background. */
export const browser = () => chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [
    // As root, which containers and CI often are, Chromium refuses to start with its sandbox.
    ...(process.getuid() === 0 ? ['--no-sandbox'] : []),
    '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic',
  ],
})

/** A new page as a visitor would have it. Fails on errors of the page's scripts and on whatever the policy blocked. */
export async function visit(browser, options = {}) {
  const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/Amsterdam', ...options })
  context.setDefaultTimeout(PATIENCE)
  const page = await context.newPage()
  const complaints = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => {
    const expected = message.text().startsWith('Failed to load resource')
    if (message.type() === 'error' && !expected) complaints.push(message.text())
  })
  return { page, complaints, close: () => context.close() }
}
