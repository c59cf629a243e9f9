// Writes the pictures of the documentation: node screenshots.mjs FOLDER

import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { browser, service, visit } from './service.mjs'

const LARGEST = 200 * 1024

const [folder] = process.argv.slice(2)
const zone = 'Europe/Amsterdam'
const today = new Date(new Intl.DateTimeFormat('sv-SE', { timeZone: zone }).format(new Date()))
const born = days => {
  const date = new Date(today)
  date.setUTCDate(date.getUTCDate() + days)
  // A leap year, so that every date exists.
  date.setUTCFullYear(1992)
  return date.toISOString().slice(0, 10)
}
const pictures = {
  'page-light': [`/?username=Ada&tz=${zone}`, { viewport: { width: 1200, height: 1060 }, colorScheme: 'light' }],
  'page-dark': [`/?username=Ada&tz=${zone}`, { viewport: { width: 1200, height: 1060 }, colorScheme: 'dark' }],
  'page-phone': [`/?username=Linus&tz=${zone}`, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'light' }],
  'docs': ['/docs', { viewport: { width: 1200, height: 900 }, colorScheme: 'light' }],
}

const [api, chromium] = await Promise.all([service(), browser()])
try {
  await api.save('Ada', born(42))
  await api.save('Linus', born(0))
  for (const [name, [path, options]] of Object.entries(pictures)) {
    const file = join(folder, `${name}.png`)
    await visit({ ...options, reducedMotion: 'reduce' }, async page => {
      await page.goto(api.url + path, { waitUntil: 'networkidle' })
      await page.screenshot({ path: file })
    }, chromium)
    execFileSync('pngquant', ['--force', '--strip', '--skip-if-larger', '--quality=85-100', '--output', file, file])
    const { size } = statSync(file)
    if (size > LARGEST) throw new Error(`${file} has ${size} bytes, more than ${LARGEST}`)
    console.log(`${file}: ${Math.round(size / 1024)} KiB`)
  }
} finally {
  await chromium.close()
  await api.stop()
}
