import t from 'tap'
import { readFileSync, writeFileSync } from 'node:fs'
import { startOneMember } from '../http/one-member.ts'
import { writeReference } from './reference.ts'

const page = new URL('../../../docs/reference.md', import.meta.url)

t.test('docs/reference.md is what the schemas say', async (t) => {
  await using member = await startOneMember()
  const { body } = await member.app.inject({ url: '/openapi.json' })
  const written = writeReference(JSON.parse(body))
  if (process.env['UPDATE'] === '1') writeFileSync(page, written)
  t.equal(readFileSync(page, 'utf8'), written, 'UPDATE=1 writes it anew')
  t.match(written, '### POST /v1/locks/{lock}/acquire')
  t.match(written, '`outcome_unknown`')
})
