// Histories of disks that fill up: who refuses then, for whom, and that what was begun can always be ended.
import t from 'tap'
import { asLockName } from '../../../src/ids.ts'
import { answerOf } from '../script.ts'
import { scene } from './scene.ts'

t.test('a leader that is short of disk space refuses new work for all, and ends what there is', async (t) => {
  const { script, a, b } = scene()
  const grant = script.hold(b, { ttlMs: 600_000 })
  a.freeBytes = 0
  script.until(() => a.node?.space.isLow === true, 'it notices')
  const other = script.acquire(b, { requestId: script.requestId(), lock: asLockName('other'), waitMs: 0 })
  script.until(() => other.reply !== null, 'it is answered')
  t.equal(answerOf(other), 'diskLow')
  t.equal(script.release(b, grant).kind, 'outcome')
  a.freeBytes = 1e9
  script.until(() => a.node?.space.isLow === false, 'it notices')
  const later = script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
  script.until(() => later.reply !== null, 'it is answered')
  t.equal(answerOf(later), 'granted')
})

t.test('a follower that is short of disk space refuses its own clients, and goes on appending', async (t) => {
  const { script, a, b, c } = scene()
  b.freeBytes = 0
  script.until(() => b.node?.space.isLow === true, 'it notices')
  const refused = script.acquire(b, { requestId: script.requestId(), waitMs: 0 })
  script.until(() => refused.reply !== null, 'it is answered')
  t.equal(answerOf(refused), 'diskLow')
  script.isolate(c)
  const granted = script.acquire(a, { requestId: script.requestId(), waitMs: 0 })
  script.until(() => granted.reply !== null, 'it is answered')
  t.equal(answerOf(granted), 'granted', 'with the disk that is low as one of two')
})
