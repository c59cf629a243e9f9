// Writes the pictures of the documentation: node screenshots.mjs FOLDER

import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { NOON, browser, day, service, visit } from './service.mjs'

const LARGEST = 200 * 1024

const [folder] = process.argv.slice(2)
const zone = encodeURIComponent(NOON)
const pictures = {
  'page-light': [`/?username=Ada&tz=${zone}`, { viewport: { width: 1200, height: 1060 }, colorScheme: 'light' }],
  'page-dark': [`/?username=Ada&tz=${zone}`, { viewport: { width: 1200, height: 1060 }, colorScheme: 'dark' }],
  'page-phone': [`/?username=Linus&tz=${zone}`, { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'light' }],
  'docs': ['/docs', { viewport: { width: 1200, height: 900 }, colorScheme: 'light' }],
}

const [api, chromium] = await Promise.all([service(), browser()])
try {
  await api.save('Ada', day({ days: 42, years: -30 }))
  await api.save('Linus', day({ years: -30 }))
  for (const [name, [path, options]] of Object.entries(pictures)) {
    const { page, close } = await visit(chromium, { ...options, reducedMotion: 'reduce' })
    const file = join(folder, `${name}.png`)
    await page.goto(api.url + path, { waitUntil: 'networkidle' })
    await page.screenshot({ path: file })
    await close()
    execFileSync('pngquant', ['--force', '--strip', '--skip-if-larger', '--quality=70-95', '--output', file, file])
    const { size } = statSync(file)
    if (size > LARGEST) throw new Error(`${file} has ${size} bytes, more than ${LARGEST}`)
    console.log(`${file}: ${Math.round(size / 1024)} KiB`)
  }
} finally {
  await chromium.close()
  await api.stop()
}
