import t from 'tap'
import { isLockName, isPartOfName } from '../../src/http/names.ts'
import { acquire, get, isProblem, post, release, tokenOf } from './calling.ts'
import { connectTo } from './raw-connection.ts'
import { startOneMember } from './one-member.ts'

t.test('a name has 1 to 512 bytes of UTF-8', (t) => {
  for (const name of [
    'a',
    ' ',
    '/',
    '...',
    'x'.repeat(512),
    'é'.repeat(256),
    '€'.repeat(170),
    '😀'.repeat(128),
    '\u00a0',
    '\u200b',
  ]) {
    t.ok(isLockName(name), JSON.stringify(name.slice(0, 20)))
  }
  for (const name of ['', '.', '..', 'x'.repeat(513), 'é'.repeat(257), `${'€'.repeat(170)}xxx`, '😀'.repeat(129)]) {
    t.notOk(isLockName(name), JSON.stringify(name.slice(0, 20)))
  }
  t.end()
})

t.test('a name has no control characters, not even those above ASCII, and no half characters', (t) => {
  for (const name of ['\u0000', 'a\n', '\u007f', 'é\u0085', '\u009f', '\ud800', 'a\udc00']) {
    t.notOk(isLockName(name), JSON.stringify(name))
    t.notOk(isPartOfName(name), JSON.stringify(name))
  }
  t.end()
})

t.test('what names begin with may be empty, or dots', (t) => {
  for (const prefix of ['', '.', '..', 'é']) t.ok(isPartOfName(prefix))
  t.notOk(isPartOfName('x'.repeat(513)))
  t.end()
})

t.test('names go through the path byte by byte', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const { app } = member
  const names = [
    '/'.repeat(512),
    'a%2Fb',
    '%',
    '%25',
    'a+b',
    'a b',
    'é',
    'e\u0301',
    "?#[]@!$&'()*+,;=:",
    '...',
    'requests',
    '"',
    '\\',
  ]
  for (const name of names) {
    const granted = await acquire(app, name)
    t.equal(granted.body['lock'], name)
    t.match((await get(app, `/v1/locks/${encodeURIComponent(name)}`)).body, {
      lock: name,
      holders: [{ token: granted.body.token }],
    })
  }
  // Every name is a lock of its own: nothing was normalised, decoded twice or cut.
  const { locks } = (await get(app, '/v1/locks?limit=1000')).body
  t.equal(Array.isArray(locks) && locks.length, names.length)
})

t.test('every way to write a name in a path is the same name', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const { app } = member
  const token = tokenOf(await acquire(app, 'Az-é'))
  for (const path of ['%41z-%C3%A9', 'Az%2D%c3%a9', 'A%7A-%C3%a9']) {
    t.match((await get(app, `/v1/locks/${path}`)).body, { lock: 'Az-é', holders: [{ token }] }, path)
  }
  t.equal((await release(app, 'Az-é', { token })).status, 200)
})

t.test('a path that holds no name is refused', async (t) => {
  const member = await startOneMember()
  t.teardown(() => member[Symbol.asyncDispose]())
  const { app } = member
  for (const name of ['\n', '\u0000', '\u0085', 'x'.repeat(513), 'x'.repeat(5000), 'é'.repeat(257)]) {
    isProblem(t, await acquire(app, name), 'invalid_request', { field: 'lock' })
  }
  isProblem(t, await post(app, '/v1/locks//acquire'), 'invalid_request', { field: 'lock' })
  isProblem(t, await get(app, '/v1/locks/'), 'invalid_request', { field: 'lock' })
  // As bytes on a connection: a client with manners would not send these.
  const send = await connectTo(app)
  for (const path of ['.', '..', '%2e', '%2E%2e', '.%2e']) {
    isProblem(t, await send(`POST /v1/locks/${path}/acquire HTTP/1.1`), 'invalid_request', { field: 'lock' })
  }
  for (const path of ['%', '%4', '%zz', '%C3%28', '%ff', 'a%C3', '%ED%A0%80', '%C0%80']) {
    isProblem(t, await send(`POST /v1/locks/${path}/acquire HTTP/1.1`), 'invalid_request', { field: 'path' })
  }
  t.same((await get(app, '/v1/locks')).body['locks'], [])
})
