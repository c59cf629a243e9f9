// Compiles against the types that openapi-typescript generates, and calls the service with openapi-fetch.

import createClient from 'openapi-fetch'
import type { components, paths } from './schema.d.ts'

declare const process: { argv: string[] }

function equal(found: unknown, expected: unknown) {
  if (found !== expected) throw new Error(`${found}, not ${expected}`)
}

const client = createClient<paths>({ baseUrl: process.argv[2] })
const params = { path: { username: 'Typescript' }, query: { tz: 'Europe/Amsterdam' } }

const saved = await client.PUT('/hello/{username}', { params, body: { dateOfBirth: '1990-05-17' } })
equal(saved.response.status, 204)
const greeted = await client.GET('/hello/{username}', { params })
const message: string | undefined = greeted.data?.message
equal(message?.startsWith('Hello, Typescript! '), true)
const feed = await client.GET('/hello/{username}/birthday.ics', { params, parseAs: 'text' })
equal(feed.data?.includes('BEGIN:VEVENT'), true)
const deleted = await client.DELETE('/hello/{username}', { params: { path: params.path } })
equal(deleted.response.status, 204)
const unknown = await client.GET('/hello/{username}', { params })
const problem: components['schemas']['Problem'] | undefined = unknown.error
equal(problem?.type, '/docs#unknown-username')
// @ts-expect-error: the body does not match the types
const refused = await client.PUT('/hello/{username}', { params, body: { born: '1990-05-17' } })
equal(refused.response.status, 400)
