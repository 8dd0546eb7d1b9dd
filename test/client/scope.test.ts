import t from 'tap'
import { getEventListeners } from 'node:events'
import { closed } from '../../src/client/endings.ts'
import { Scope } from '../../src/client/scope.ts'
import type { StopSignal } from '../../src/client/stopping.ts'

const why = () => closed('the scope')
const untilAborted = (signal: StopSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('of the call')), { once: true }))

t.test('what a call returns or throws comes through', async (t) => {
  const scope = new Scope()
  t.equal(await scope.run(undefined, async () => 7), 7)
  await t.rejects(
    scope.run(undefined, async () => {
      throw new RangeError('of the call')
    }),
    RangeError,
  )
})

t.test('the end of a scope ends its calls, and says why', async (t) => {
  const scope = new Scope()
  const call = scope.run(undefined, untilAborted)
  scope.end(why)
  await t.rejects(call, { code: 'closed' })
  await t.rejects(
    scope.run(undefined, async () => t.fail('no call is begun')),
    { code: 'closed' },
  )
  scope.end(() => closed('something else'))
  t.throws(() => scope.throwIfOver(), { message: 'the scope was closed' })
})

t.test('the signal of the caller ends its own call', async (t) => {
  const scope = new Scope()
  const abort = new AbortController()
  const call = scope.run(abort.signal, untilAborted)
  const other = scope.run(undefined, untilAborted)
  abort.abort('enough')
  await t.rejects(call, { code: 'aborted', cause: 'enough' })
  await t.rejects(
    scope.run(abort.signal, async () => t.fail('no call is begun')),
    { code: 'aborted' },
  )
  scope.end(why)
  await t.rejects(other, { code: 'closed' })
})

t.test('what ends a call first is its reason', async (t) => {
  const scope = new Scope()
  const abort = new AbortController()
  const call = scope.run(abort.signal, untilAborted)
  scope.end(why)
  abort.abort()
  await t.rejects(call, { code: 'closed' })
})

t.test('nothing stays on the signal of a caller', async (t) => {
  const scope = new Scope()
  const { signal } = new AbortController()
  await scope.run(signal, async () => t.equal(getEventListeners(signal, 'abort').length, 1))
  await scope.run(signal, () => Promise.reject(new Error('x'))).catch(() => {})
  t.equal(getEventListeners(signal, 'abort').length, 0)
})

t.test('idle waits for all calls', async (t) => {
  const scope = new Scope()
  await scope.idle()
  let isDone = false
  let finish: () => void = () => {}
  const call = scope.run(
    undefined,
    () =>
      new Promise<void>((resolve) => {
        finish = resolve
      }),
  )
  const idle = scope.idle().then(() => t.equal(isDone, true))
  isDone = true
  finish()
  await Promise.all([call, idle])
})
