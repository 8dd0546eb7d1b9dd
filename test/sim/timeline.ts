// Virtual time: what will happen, ordered by when and then by who asked first. Nothing in a simulated world happens
// outside of an event of this queue, so a run is a function of its seed.

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

export class Timeline {
  /** Virtual milliseconds since the world began. */
  now = 0
  /** Events that have happened. */
  count = 0
  #order = 0
  /** A binary heap. */
  readonly #events: Event[] = []

  at(time: number, run: () => void): void {
    this.#push({ at: Math.max(time, this.now), order: this.#order++, run })
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.now + delayMs, run)
  }

  /** Lets the next event happen; false when there is none before `until`, at which time then is. */
  step(until: number): boolean {
    const next = this.#events[0]
    if (next === undefined || next.at > until) {
      this.now = until
      return false
    }
    this.#pop()
    this.now = next.at
    this.count++
    next.run()
    return true
  }

  #push(event: Event): void {
    const events = this.#events
    let position = events.push(event) - 1
    while (position > 0) {
      const parent = (position - 1) >> 1
      const above = events[parent]
      if (above === undefined || isBefore(above, event)) break
      events[position] = above
      position = parent
    }
    events[position] = event
  }

  #pop(): void {
    const events = this.#events
    const last = events.pop()
    if (last === undefined || events.length === 0) return
    const { length } = events
    let position = 0
    for (let at = 1; at < length; at = 2 * position + 1) {
      let child = events[at]
      const right = at + 1 < length ? events[at + 1] : undefined
      if (child === undefined) break
      if (right !== undefined && isBefore(right, child)) {
        child = right
        at++
      }
      if (isBefore(last, child)) break
      events[position] = child
      position = at
    }
    events[position] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
