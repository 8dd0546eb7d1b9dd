import t from 'tap'
import { play } from '../examples/play.ts'
import { startPostgres } from './postgres-server.ts'

t.test('the example guarded-row does what it claims', async (t) => {
  const { url } = await startPostgres(t)
  const { code, said } = await play('guarded-row', { DATABASE_URL: url })
  t.equal(code, 0, said)
  t.match(said, 'the row is what the paused former holder wrote')
  t.match(said, 'the row is what the present holder wrote')
})

t.test('without a database it says what it needs', async (t) => {
  const { code, said } = await play('guarded-row')
  t.equal(code, 2)
  t.match(said, 'DATABASE_URL')
})
