// A lock in a session of its own, for waits longer than a connection may be kept: the place in line outlives connections,
// and what was waited for lives and ends with the session. Who loses the session while waiting goes to the end of the
// line with a new one; it has lost nothing that it held.
import type { Inside } from './inside.ts'
import type { HeldLock, Liveness } from './lock.ts'
import { callMaxMs } from './options.ts'
import type { Nested } from './scope.ts'
import { HeldSession } from './session.ts'
import { takeAlone, Wait, waitDefaultMs } from './taking.ts'
import type { AcquireOptions, OnLost } from './types.ts'

/** In whichever way the wait asks for. */
export function takeLock(inside: Inside, name: string, options: AcquireOptions): Promise<HeldLock> {
  const { waitMs = waitDefaultMs } = options
  return waitMs > callMaxMs ? takeInOwnSession(inside, name, options) : takeAlone(inside, name, options)
}

function takeInOwnSession(inside: Inside, name: string, options: AcquireOptions): Promise<HeldLock> {
  const { belongings, scope, options: defaults } = inside
  const { onLost = defaults.onLost } = options
  const wait = new Wait(inside, options)
  const ended = (lock: HeldLock): void => belongings.remove(lock)
  return scope.run(options.signal, async (signal) => {
    for (;;) {
      const session = await openForOne(inside, { ...options, signal })
      try {
        const asked = { ...options, waitMs: wait.leftMs, signal }
        const lock = await session.take(name, asked, (kept) => aliveWith(inside, session, { kept, onLost, ended }))
        belongings.add(lock)
        return lock
      } catch (error) {
        const wasLost = session.loss !== null
        closeInBackground(inside, session)
        if (!wasLost || signal.aborted || wait.leftMs === 0) throw error
      }
    }
  })
}

/** Nothing is held while it waits, so until the grant its loss is none to end a process for. */
export function openForOne(
  inside: Inside,
  { ttlMs, timeoutMs, signal }: Nested<Pick<AcquireOptions, 'ttlMs' | 'timeoutMs' | 'signal'>>,
): Promise<HeldSession> {
  return HeldSession.open(inside, {
    onLost: 'abort',
    ...(ttlMs === undefined ? {} : { ttlMs }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(signal === undefined ? {} : { signal }),
  })
}

/** The session lives for this lock alone, and from the grant on its loss means what the user said. */
export function aliveWith(
  inside: Inside,
  session: HeldSession,
  { kept, onLost, ended }: { kept: Liveness; onLost: OnLost; ended: (lock: HeldLock) => void },
): Liveness {
  return {
    ...kept,
    hold: (lost, validity) => {
      session.keepBy(onLost, validity)
      return kept.hold(lost, validity)
    },
    release: async (options) => {
      try {
        await kept.release(options)
      } catch (error) {
        // It may be asked again, so the session is not closed: it would answer for the lock.
        session.leave()
        throw error
      }
      closeInBackground(inside, session)
    },
    leave: () => session.leave(),
    ended: (lock) => {
      kept.ended(lock)
      ended(lock)
    },
  }
}

export function closeInBackground({ belongings }: Inside, session: HeldSession): void {
  belongings.endInBackground({ what: 'session', name: session.id, ttlMs: session.ttlMs }, session.close())
}
