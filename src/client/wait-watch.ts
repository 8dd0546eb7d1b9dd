// Whether the nodes at which our requests wait still answer. A wait may last for minutes without a byte, and a node that
// hangs, or is cut off from the others, says nothing at all; its request loses its place in line a dozen seconds later
// (DESIGN 5). So whoever is waited on is asked whether it is ready, once for all waits, and a wait goes elsewhere in time.
import { ExchangeError } from './exchange.ts'
import type { Surroundings, Timer } from './surroundings.ts'

/** A node that is lost to the others keeps the place of its requests for 12 s: two probes fit in. */
const probeEveryMs = 5000
const probeMs = 3000
/** Without a leader nobody is ready; that passes, and no place in line is lost meanwhile. */
const unreadyMax = 2

type Health = 'ready' | 'unready' | 'silent'

interface Watched {
  readonly waits: Set<() => void>
  timer: Timer
  unready: number
}

export class WaitWatch {
  readonly #surroundings: Surroundings
  readonly #watched = new Map<string, Watched>()

  constructor(surroundings: Surroundings) {
    this.#surroundings = surroundings
  }

  /** `leave` is called when the endpoint is not to be waited on any more. Returns what ends the watch. */
  watch(endpoint: string, leave: () => void): () => void {
    const watched = this.#watched.get(endpoint) ?? this.#begin(endpoint)
    watched.waits.add(leave)
    return () => {
      watched.waits.delete(leave)
      if (watched.waits.size > 0 || this.#watched.get(endpoint) !== watched) return
      this.#watched.delete(endpoint)
      watched.timer.cancel()
    }
  }

  #begin(endpoint: string): Watched {
    const watched: Watched = { waits: new Set(), timer: { cancel: () => undefined }, unready: 0 }
    this.#watched.set(endpoint, watched)
    this.#setTimer(endpoint, watched)
    return watched
  }

  #setTimer(endpoint: string, watched: Watched): void {
    watched.timer = this.#surroundings.setTimer(probeEveryMs, () => void this.#look(endpoint, watched))
  }

  async #look(endpoint: string, watched: Watched): Promise<void> {
    const health = await this.#probe(endpoint)
    if (this.#watched.get(endpoint) !== watched) return
    watched.unready = health === 'unready' ? watched.unready + 1 : 0
    if (health === 'silent' || watched.unready >= unreadyMax) {
      this.#watched.delete(endpoint)
      for (const leave of watched.waits) leave()
    } else {
      this.#setTimer(endpoint, watched)
    }
  }

  async #probe(endpoint: string, again = true): Promise<Health> {
    try {
      const probe = { endpoint, method: 'GET', path: '/readyz', timeoutMs: probeMs } as const
      const { status } = await this.#surroundings.exchange(probe)
      return status === 503 ? 'unready' : 'ready'
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      if (error.wasStale && again) return this.#probe(endpoint, false)
      // Whoever answers something answers.
      return error.kind === 'bad_answer' ? 'ready' : 'silent'
    }
  }
}
