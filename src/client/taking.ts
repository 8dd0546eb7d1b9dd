// From asking for a lock to having it in hand. A grant is handed on only while it is surely held and its caller still
// wants it; any other is given back, and asked anew while there is time: it must not stay behind with nobody.
import { elapsedMs, marginMs } from './clock.ts'
import { lockLost } from './endings.ts'
import type { Inside } from './inside.ts'
import { HeldLock } from './lock.ts'
import type { Liveness, Validity } from './lock.ts'
import type { Granted } from './operations.ts'
import type { AcquireOptions } from './types.ts'

export const waitDefaultMs = 60_000

/** What is left of a wait, counted from when it began. */
export class Wait {
  readonly #inside: Inside
  readonly #began
  readonly #waitMs: number
  readonly #patienceMs: number

  constructor(
    inside: Inside,
    { waitMs = waitDefaultMs, timeoutMs = inside.options.timeoutMs }: Pick<AcquireOptions, 'waitMs' | 'timeoutMs'>,
  ) {
    this.#inside = inside
    this.#began = inside.surroundings.clock.now()
    this.#waitMs = waitMs
    this.#patienceMs = waitMs + timeoutMs
  }

  get leftMs(): number {
    return Math.max(0, Math.ceil(this.#waitMs - this.#elapsedMs()))
  }

  /** Whether it is worth asking anew. */
  get isOver(): boolean {
    return this.#elapsedMs() >= this.#patienceMs
  }

  #elapsedMs(): number {
    return elapsedMs({ from: this.#began, to: this.#inside.surroundings.clock.now() })
  }
}

/** Whether what was answered so is held for long enough to be worth having. */
export function isUseful(
  { surroundings }: Inside,
  { sentAt, validForMs, ttlMs }: Validity & { ttlMs: number },
): boolean {
  const elapsed = elapsedMs({ from: sentAt, to: surroundings.clock.now() })
  return validForMs - elapsed > marginMs(ttlMs)
}

/** A lock with a TTL of its own. */
export function takeAlone(inside: Inside, name: string, options: AcquireOptions): Promise<HeldLock> {
  const { operations, belongings, scope, options: defaults } = inside
  const { ttlMs = defaults.ttlMs, owner, metadata, timeoutMs } = options
  const wait = new Wait(inside, options)
  return scope.run(options.signal, async (signal) => {
    for (;;) {
      const asked = { lock: name, ttlMs, waitMs: wait.leftMs, owner, metadata, signal, timeoutMs }
      const granted = await operations.acquire(asked)
      const { token, sequence } = granted
      if (!signal.aborted && isUseful(inside, granted)) {
        const facts = { name, token, sequence, ttlMs }
        const lock = new HeldLock(facts, granted, aloneLiveness(inside, { lock: name, granted, options }))
        belongings.add(lock)
        return lock
      }
      belongings.endInBackground({ what: 'lock', name, ttlMs }, operations.release({ lock: name, token }))
      if (signal.aborted || wait.isOver) throw tooLate(name, token)
    }
  })
}

export function tooLate(lock: string, token: number): Error {
  return lockLost({ what: `lock ${lock}`, why: 'the answer came too late to be of use', lock, token })
}

function aloneLiveness(
  { operations, keeper, belongings, options: defaults }: Inside,
  { lock, granted, options }: { lock: string; granted: Granted; options: AcquireOptions },
): Liveness {
  const { ttlMs = defaults.ttlMs, onLost = defaults.onLost } = options
  const { token } = granted
  return {
    hold: (lost, { sentAt, validForMs }) =>
      keeper.hold({ what: { kind: 'lock', lock, token }, ttlMs, sentAt, validForMs, onLost, lost }),
    extend: (ttlMs) => operations.renewLock({ lock, token, ttlMs }),
    release: (options) => operations.release({ ...options, lock, token }),
    leave: () => {},
    ended: (held) => belongings.remove(held),
  }
}
