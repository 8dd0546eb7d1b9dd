// What the client on a machine holds, as its own keeper knows it: the kit looks there for the holder of a lock, and takes
// from there what it gives away. The keeper is the client's own (client/keeper-nearby.ts), on the machine's time.
import { HoldfastError } from '../client/errors.ts'
import type { Keeper, Kept, Lease } from '../client/keeper.ts'

/** As a node shows it. */
export interface Holder {
  readonly lock: string
  readonly token: number
  /** null: the lock has a TTL of its own. */
  readonly session: string | null
}

export class HeldLeases {
  readonly #leases = new Map<Lease, Kept>()

  /** `keeper`, with its leases known here. */
  watch(keeper: Keeper): Keeper {
    return {
      hold: (lease) => {
        const lost = (reason: HoldfastError): void => {
          this.#leases.delete(lease)
          lease.lost(reason)
        }
        const kept = keeper.hold({ ...lease, lost })
        this.#leases.set(lease, kept)
        return {
          remainingMs: () => kept.remainingMs(),
          forget: () => {
            this.#leases.delete(lease)
            kept.forget()
          },
        }
      },
      close: () => keeper.close(),
    }
  }

  has(holder: Holder): boolean {
    return this.#of(holder).length > 0
  }

  /** Their client learns that they are over, as if the answer to a renewal said so. Returns what `onLost` asks for. */
  lose(holder: Holder): Lease['onLost'][] {
    const leases = this.#of(holder)
    for (const lease of leases) {
      this.#leases.get(lease)?.forget()
      this.#leases.delete(lease)
      lease.lost(lost(holder))
    }
    return leases.map(({ onLost }) => onLost)
  }

  #of({ lock, token, session }: Holder): Lease[] {
    return [...this.#leases.keys()].filter(({ what }) =>
      what.kind === 'lock' ? what.lock === lock && what.token === token : what.session === session,
    )
  }
}

function lost({ lock, token, session }: Holder): HoldfastError {
  const details = session === null ? { lock, token } : { lock, token, session }
  return new HoldfastError('lock_lost', `lock ${lock} is lost: the test gave it away`, { details })
}
